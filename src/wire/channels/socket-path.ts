// Where the unix socket of a home is. Asked by whoever listens there and by whoever dials.

import { chmodSync, lstatSync, mkdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { failure } from '../../contract/errors.ts'

/** The system takes 107 bytes on Linux and 103 on macOS. */
const maxPathBytes = 100

/**
 * Where the socket `name` of a home is. A path that is too long for the system moves to a directory of this account under the
 * temporary directory, named by a hash of the home; throws `home.unusable` if that name is another's. `spareBytes` are kept free
 * for whoever makes the socket under a longer name first.
 */
export function socketPath(home: string, name: string, spareBytes = 0): string {
  const path = join(home, name)
  if (Buffer.byteLength(path) + spareBytes <= maxPathBytes) return path
  // Not imported: as an ES module it loads all of Web Crypto, and the command line asks for a path each time.
  const { createHash } = process.getBuiltinModule('node:crypto')
  const hash = createHash('sha256').update(home).digest('hex').slice(0, 16)
  const dir = join(tmpdir(), `muster-${hash}`)
  makeOwnDirectory(dir)
  return join(dir, name)
}

function makeOwnDirectory(dir: string): void {
  mkdirSync(dir, { recursive: true, mode: 0o700 })
  const { uid, mode } = lstatSync(dir)
  if (uid !== process.getuid?.()) throw failure('home.unusable', { path: dir, problem: 'it belongs to another account' })
  if ((mode & 0o077) !== 0) chmodSync(dir, 0o700)
}
