// What SQLite's refusals mean to a caller: no room, no permission, a broken disk are `store.unavailable`; the rest is as it was
// thrown.

import { failure } from '../../contract/errors.ts'

/** Primary result codes: PERM, BUSY, LOCKED, NOMEM, READONLY, IOERR, CORRUPT, FULL, CANTOPEN, NOTADB. */
const unavailable = new Set([3, 5, 6, 7, 8, 10, 11, 13, 14, 26])
export const busy = 5

export function asStoreProblem(thrown: unknown, file: string): unknown {
  const code = resultCode(thrown)
  if (code === undefined || !unavailable.has(code)) return thrown
  return failure('store.unavailable', { file, problem: (thrown as Error).message }, { cause: thrown })
}

/** Of the file system, which refused to put on disk what was written. */
export function asFlushProblem(thrown: unknown, file: string): unknown {
  return failure('store.unavailable', { file, problem: (thrown as Error).message }, { cause: thrown })
}

/** SQLite's primary result code; undefined for what SQLite did not throw. */
export function resultCode(thrown: unknown): number | undefined {
  if (!(thrown instanceof Error) || !('errcode' in thrown) || typeof thrown.errcode !== 'number') return undefined
  return thrown.errcode & 0xff
}
