// The control socket of a host's ssh connection: where it is, and how one that a killed hub has left is ended.

import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { socketPath } from '../../wire/channels/socket-path.ts'
import { endMasterArguments } from './arguments.ts'
import type { SshConfig } from './config.ts'

/** While it makes the socket, ssh writes a dot and 16 letters after its name. */
const spareBytes = 17
const endTimeoutMs = 5_000

export function controlPathIn(dir: string): string {
  return socketPath(dir, 'master', spareBytes)
}

/** Ends whoever serves that socket, and takes the file away: ssh shares no connection where there is one already. */
export async function endMaster(config: SshConfig, controlPath: string): Promise<void> {
  if (!existsSync(controlPath)) return
  await new Promise<void>((resolve) => {
    // It fails where nobody serves the socket any more, which is just as well.
    execFile('ssh', endMasterArguments(config, controlPath), { timeout: endTimeoutMs }, () => resolve())
  })
  await rm(controlPath, { force: true })
}
