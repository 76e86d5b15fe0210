// Where a keeper has its lock: a directory of its own in the host's home, since the home's lock is the host's.

import { mkdirSync } from 'node:fs'
import { join } from 'node:path'

/** Makes the directory, for this account alone, and answers its path. */
export function makeKeeperDir(home: string): string {
  const dir = join(home, 'keeper')
  mkdirSync(dir, { recursive: true, mode: 0o700 })
  return dir
}
