// `scp` over an open connection: the same bytes, from the server to a file here.

import { execFile } from 'node:child_process'
import { rm, stat } from 'node:fs/promises'
import { promisify } from 'node:util'
import type { Ssh } from './ssh.ts'

const run = promisify(execFile)

export const scpName = 'scp (ControlMaster)'

/** Seconds from the start to the last byte in the file, which is not synced. */
export async function readScp(ssh: Ssh, file: string, expectedBytes: number): Promise<number> {
  const copy = `${file}.copy`
  try {
    const startedAt = performance.now()
    await run('scp', [...ssh.options, `${ssh.host}:${file}`, copy])
    const seconds = (performance.now() - startedAt) / 1000
    const { size } = await stat(copy)
    if (size !== expectedBytes) throw new Error(`scp gave ${size} of ${expectedBytes} bytes`)
    return seconds
  } finally {
    await rm(copy, { force: true })
  }
}

/** Seconds for a copy to the server, whose files lie on this machine too. What was there is gone before. */
export async function sendByScp(
  ssh: Pick<Ssh, 'options' | 'host'>,
  flags: readonly string[],
  from: string,
  to: string,
): Promise<number> {
  await rm(to, { recursive: true, force: true })
  const startedAt = performance.now()
  await run('scp', [...flags, ...ssh.options, from, `${ssh.host}:${to}`])
  return (performance.now() - startedAt) / 1000
}
