// Opens the hub's page in the person's browser, where there is a person and a browser.

import { spawn } from 'node:child_process'
import type { Terminal } from './terminal.ts'

/** Whether somebody sits before this terminal with a desktop around it. */
export function hasDesktop(
  { screen, env }: Pick<Terminal, 'screen' | 'env'>,
  platform: NodeJS.Platform = process.platform,
): boolean {
  return screen && (platform === 'darwin' || Boolean(env.DISPLAY || env.WAYLAND_DISPLAY))
}

/** Hands the address to the desktop and waits for nothing. A desktop without a browser is told, not failed for. */
export function openBrowser(
  { env, say }: Pick<Terminal, 'env' | 'say'>,
  url: string,
  platform: NodeJS.Platform = process.platform,
): void {
  const program = platform === 'darwin' ? 'open' : 'xdg-open'
  const opening = spawn(program, [url], { detached: true, stdio: 'ignore', env })
  opening.on('error', () => say(`No browser could be opened; the hub's page is ${url}.`))
  opening.unref()
}
