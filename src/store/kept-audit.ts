// The audit log in a database file, for whoever may read that file: beside the process that writes it, or after its end.

import { existsSync } from 'node:fs'
import type { Caller } from '../contract/caller.ts'
import { direct } from '../contract/direct.ts'
import { failure } from '../contract/errors.ts'
import { type Bound, implementation, type Principal } from '../contract/implementation.ts'
import { auditOperations } from './audit-operations.ts'
import { readSqlite } from './sqlite/open.ts'
import { resultCode } from './sqlite/problem.ts'

export interface KeptAudit extends AsyncDisposable {
  /** Answers the operations that read an audit log. */
  readonly caller: Caller
}

/** Who can read the file can read the log; more it cannot be asked. */
const reader: Principal = { kind: 'self', id: 'reader', role: 'operator', scopes: new Set(['admin']) }

/** Throws `audit.none` where there is none, `file.unreadable`, `store.newer`. */
export async function openKeptAudit(file: string): Promise<KeptAudit> {
  if (!existsSync(file)) throw failure('audit.none', { file })
  const store = await readSqlite(file).catch((error) => {
    throw asReadProblem(error, file)
  })
  if (!store.migrations.includes('004-audit')) {
    await store[Symbol.asyncDispose]()
    throw failure('audit.none', { file })
  }
  const operations = auditOperations(store, (ref) => ref).map((bound) => explained(bound, file))
  return { caller: direct(implementation(...operations), reader), [Symbol.asyncDispose]: () => store[Symbol.asyncDispose]() }
}

/** The same, in our words where the file cannot be read. */
function explained(bound: Bound, file: string): Bound {
  if (bound.operation.kind === 'call') {
    return {
      ...bound,
      async handle(...given) {
        try {
          return await bound.handle(...given)
        } catch (error) {
          throw asReadProblem(error, file)
        }
      },
    }
  }
  return {
    ...bound,
    async *handle(...given) {
      try {
        yield* bound.handle(...given) as AsyncIterable<unknown>
      } catch (error) {
        throw asReadProblem(error, file)
      }
    },
  }
}

function asReadProblem(thrown: unknown, file: string): unknown {
  if (resultCode(thrown) === undefined) return thrown
  return failure('file.unreadable', { file, problem: (thrown as Error).message }, { cause: thrown })
}
