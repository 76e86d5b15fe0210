import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { hasDesktop, openBrowser } from './open-browser.ts'

test.each([
  [{ screen: true, env: { DISPLAY: ':0' } }, 'linux', true],
  [{ screen: true, env: { WAYLAND_DISPLAY: 'wayland-0' } }, 'linux', true],
  [{ screen: true, env: {} }, 'darwin', true],
  [{ screen: true, env: {} }, 'linux', false],
  [{ screen: false, env: { DISPLAY: ':0' } }, 'linux', false],
] as const)('%o on %s has a desktop: %s', (terminal, platform, expected) => {
  expect(hasDesktop(terminal, platform)).toBe(expected)
})

test('the desktop is handed the address as one argument', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'muster-browser-'))
  try {
    await writeFile(join(dir, 'xdg-open'), `#!/bin/sh\nprintf '%s|' "$@" > ${dir}/opened\n`)
    await chmod(join(dir, 'xdg-open'), 0o755)
    openBrowser({ env: { PATH: `${dir}:/usr/bin:/bin` }, say: () => {} }, 'http://127.0.0.1:7878/', 'linux')
    await vi.waitFor(async () => expect(await readFile(join(dir, 'opened'), 'utf8')).toBe('http://127.0.0.1:7878/|'), 30_000)
  } finally {
    await rm(dir, { recursive: true })
  }
})

test('without a browser the address is said', async () => {
  const said: string[] = []
  openBrowser({ env: { PATH: '/nowhere' }, say: (line) => said.push(line) }, 'http://127.0.0.1:7878/', 'linux')
  await vi.waitFor(() => expect(said).toEqual([expect.stringContaining('http://127.0.0.1:7878/')]), 30_000)
})
