// One writer for one database file. Writes that wait together share one commit, and so one flush to disk: at FULL durability
// SQLite commits about 10,000 times a second here, one by one, whatever is in the commit.
//
// Each write is in a savepoint of its own: one that throws is undone alone. Nobody is answered before the commit has returned.

import type { DatabaseSync } from 'node:sqlite'
import type { Kysely } from 'kysely'
import type { Work } from '../engine.ts'
import type { Tables } from '../schema.ts'
import { asStoreProblem } from './problem.ts'

/** For so long a commit takes in what waits: meanwhile the process does nothing else. */
const gatherMs = 8

export interface GroupCommit {
  write<T>(work: Work<T>): Promise<T>
  /** Resolves when nothing waits any more. */
  drained(): Promise<void>
}

interface Waiting {
  /** Does the work; answers how to tell its caller. */
  readonly attempt: () => Promise<() => void>
  readonly reject: (error: unknown) => void
}

/** `file` is what its refusals name. */
export function groupCommit(database: DatabaseSync, db: Kysely<Tables>, file: string): GroupCommit {
  const waiting: Waiting[] = []
  let committing = false
  let idle = Promise.withResolvers<void>()
  idle.resolve()

  function write<T>(work: Work<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      waiting.push({
        reject,
        async attempt() {
          const value = await work(db)
          return () => resolve(value)
        },
      })
      if (committing) return
      committing = true
      idle = Promise.withResolvers()
      commitAll().then(idle.resolve, idle.reject)
    })
  }

  async function commitAll(): Promise<void> {
    while (waiting.length > 0) {
      // Whoever is about to write in this turn of the event loop joins in; others get their turn between two commits.
      await new Promise((resolve) => setImmediate(resolve))
      await commit()
    }
    committing = false
  }

  async function commit(): Promise<void> {
    const answers: (() => void)[] = []
    let taken = 0
    try {
      // Left by a commit that could not even be rolled back.
      if (database.isTransaction) database.exec('rollback')
      database.exec('begin immediate')
      const enough = performance.now() + gatherMs
      while (taken < waiting.length && performance.now() < enough) {
        taken += 1
        const answer = await attempt(waiting[taken - 1] as Waiting)
        if (answer) answers.push(answer)
      }
      database.exec('commit')
    } catch (error) {
      // When it could not even begin, it can for nobody.
      for (const { reject } of waiting.splice(0, taken || waiting.length)) reject(asStoreProblem(error, file))
      rollBack()
      return
    }
    waiting.splice(0, taken)
    for (const answer of answers) answer()
  }

  /** Throws nothing: whoever writes next tries again, and is told if it still fails. */
  function rollBack(): void {
    try {
      if (database.isTransaction) database.exec('rollback')
    } catch {
      return
    }
  }

  async function attempt(one: Waiting): Promise<(() => void) | undefined> {
    database.exec('savepoint one')
    try {
      const answer = await one.attempt()
      database.exec('release one')
      return answer
    } catch (error) {
      // A full disk can end the whole transaction: then nothing of this commit is there, and everybody must hear it.
      if (!database.isTransaction) throw error
      database.exec('rollback to one; release one')
      one.reject(asStoreProblem(error, file))
      return undefined
    }
  }

  return { write, drained: () => idle.promise }
}
