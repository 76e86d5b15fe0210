// One process a home. The lock is an open exclusive transaction, which the system ends with the process, however that dies;
// a lock file with a pid in it would outlive a kill and could name a stranger.

import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { failure } from '../contract/errors.ts'
import { busy, resultCode } from './sqlite/problem.ts'

/** Locks a directory until disposed. Throws `home.locked`, or `home.unusable` when nothing can be written there. */
export function lockHome(dir: string): Disposable {
  const file = join(dir, 'lock.db')
  let database: DatabaseSync | undefined
  try {
    database = new DatabaseSync(file, { timeout: 0 })
    database.exec('pragma locking_mode = exclusive; begin exclusive')
  } catch (error) {
    database?.close()
    if (resultCode(error) === busy) throw failure('home.locked', { path: dir })
    throw failure('home.unusable', { path: dir, problem: error instanceof Error ? error.message : String(error) })
  }
  const held = database
  return { [Symbol.dispose]: () => held.close() }
}
