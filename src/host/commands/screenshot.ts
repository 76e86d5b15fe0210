// `screenshot`: what the display of the host's account shows, as a PNG. In the catalog only where there is a display and a program that
// takes pictures of it.

import { execFile } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { homedir } from 'node:os'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import { z } from 'zod'
import { failure } from '../../contract/errors.ts'
import { environmentFor } from '../environment.ts'
import { builtIn } from './builtin.ts'
import type { HostCommand } from './command.ts'

/** In Base64, and with all that goes around it, it fits into one message. */
const mostBytes = 640 * 1024
const timeoutMs = 30_000
const run = promisify(execFile)

/** ImageMagick's: it can make a picture smaller, until it fits. */
const program = 'import'
const scales = [100, 50, 25, 12]

export function screenshotCommands(env: NodeJS.ProcessEnv): HostCommand[] {
  const { DISPLAY: display } = env
  if (!display || !isInPath(program, env.PATH)) return []
  return [
    builtIn({
      name: 'screenshot',
      description: 'What the display shows, as a PNG; made smaller where it would not fit into one message.',
      params: z.strictObject({}),
      result: z.strictObject({
        png: z.string().meta({ description: 'Base64.' }),
        scalePercent: z.int().meta({ description: '100: as it is on the display.' }),
      }),
      async run(_params, { signal }) {
        let largest = 0
        for (const scalePercent of scales) {
          const png = await capture(env, display, scalePercent, signal)
          if (png.length <= mostBytes) return { png: png.toString('base64'), scalePercent }
          largest = png.length
        }
        throw failure('file.too_large', { path: `The picture of ${display}`, bytes: largest, limit: mostBytes })
      },
    }),
  ]
}

async function capture(env: NodeJS.ProcessEnv, display: string, scalePercent: number, signal: AbortSignal): Promise<Buffer> {
  const { XAUTHORITY = join(homedir(), '.Xauthority') } = env
  const size = scalePercent === 100 ? [] : ['-resize', `${scalePercent}%`]
  try {
    const { stdout } = await run(program, ['-silent', '-display', display, '-window', 'root', ...size, 'png:-'], {
      encoding: 'buffer',
      env: environmentFor(env, {}, { DISPLAY: display, XAUTHORITY }),
      maxBuffer: 64 * 1024 * 1024,
      timeout: timeoutMs,
      killSignal: 'SIGKILL',
      signal,
    })
    return stdout
  } catch (cause) {
    signal.throwIfAborted()
    const said = String((cause as { stderr?: Buffer }).stderr ?? '').trim()
    throw failure(
      'command.failed',
      { command: 'screenshot', how: program, stderr: said.slice(-400).replace(/\.$/, '') },
      { cause },
    )
  }
}

function isInPath(name: string, path = ''): boolean {
  return path.split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, name), constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}
