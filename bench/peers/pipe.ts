// `cat FILE` into a pipe that this process reads: the least that bytes from a command to a reader can cost.

import { spawn } from 'node:child_process'
import { once } from 'node:events'

export const pipeName = 'cat through a pipe'

/** Seconds from the start to the last byte. */
export async function readPipe(file: string, expectedBytes: number): Promise<number> {
  const startedAt = performance.now()
  const child = spawn('cat', [file], { stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = once(child, 'close')
  let bytes = 0
  for await (const chunk of child.stdout) bytes += (chunk as Buffer).length
  const seconds = (performance.now() - startedAt) / 1000
  await ended
  if (bytes !== expectedBytes) throw new Error(`cat gave ${bytes} of ${expectedBytes} bytes`)
  return seconds
}
