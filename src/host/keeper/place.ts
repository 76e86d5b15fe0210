// Where a keeper has its lock and its socket in the host's home: by the protocol that it speaks, since no handshake would tell. A host
// that was upgraded while a keeper holds processes starts one of its own; the older keeps what it has until that has ended.

import { mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { hasCode } from '../../contract/errors.ts'
import { lockHome } from '../../store/lock.ts'
import { socketPath } from '../../wire/channels/socket-path.ts'
import { protocolVersion } from '../../wire/protocol.ts'

const ours = `keeper-${protocolVersion}`

export function keeperSocket(home: string): string {
  return socketPath(home, `${ours}.sock`)
}

/** Makes the directory, for this account alone, and answers its path. Not the home itself, whose lock is the host's. */
export function makeKeeperDir(home: string): string {
  const dir = join(home, ours)
  mkdirSync(dir, { recursive: true, mode: 0o700 })
  return dir
}

/** Whether a keeper of another version still holds something here: nobody else may write what it writes. */
export function otherKeeperLives(home: string): boolean {
  return readdirSync(home).some((name) => /^keeper(-\d+)?$/.test(name) && name !== ours && isLocked(join(home, name)))
}

function isLocked(dir: string): boolean {
  try {
    lockHome(dir)[Symbol.dispose]()
    return false
  } catch (error) {
    if (hasCode(error, 'home.locked')) return true
    throw error
  }
}
