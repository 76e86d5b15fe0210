// One writer for one database file. Writes that wait together share one commit, and so one flush to disk: at FULL durability
// SQLite commits about 10,000 times a second here, one by one, whatever is in the commit.
//
// One that throws is undone alone: its transaction begins anew, with each write in a savepoint of its own. Nobody is answered before
// it is on disk.
//
// A commit's flush holds up the whole process, for some milliseconds on an ordinary disk. So one in which nobody is in a hurry leaves
// the flush of the log (`-wal`) to another thread: https://sqlite.org/pragma.html#pragma_synchronous says what NORMAL leaves out.

import type { DatabaseSync } from 'node:sqlite'
import type { Kysely } from 'kysely'
import type { Urgency, Work } from '../engine.ts'
import type { Tables } from '../schema.ts'
import { asFlushProblem, asStoreProblem } from './problem.ts'

/** For so long a commit takes in what waits: meanwhile the process does nothing else. */
const gatherMs = 8

export interface GroupCommit {
  write<T>(work: Work<T>, urgency?: Urgency): Promise<T>
  /** Resolves when nothing waits any more. */
  drained(): Promise<void>
}

interface Waiting {
  /** Does the work; answers how to tell its caller. */
  readonly attempt: () => Promise<() => void>
  readonly reject: (error: unknown) => void
  readonly urgency: Urgency
}

/** How to tell the caller of a write that was committed. */
interface Answer {
  readonly answer: () => void
  readonly reject: (error: unknown) => void
}

interface Group {
  /** How many of those who wait, from the first. */
  taken: number
  readonly answers: Answer[]
}

/** `file` is what its refusals name; `flushLog` flushes what stands in its log, without holding up this thread. */
export function groupCommit(
  database: DatabaseSync,
  db: Kysely<Tables>,
  file: string,
  flushLog: () => Promise<void>,
): GroupCommit {
  const waiting: Waiting[] = []
  const flushing = new Set<Promise<void>>()
  let current = Promise.resolve()
  let next: Promise<void> | undefined
  let committing = false
  let idle = Promise.withResolvers<void>()
  idle.resolve()
  let mode: Urgency = 'now'

  function write<T>(work: Work<T>, urgency: Urgency = 'now'): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      waiting.push({
        urgency,
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
    const urgency: Urgency = waiting.some((one) => one.urgency === 'now') ? 'now' : 'soon'
    let group: Group = { taken: 0, answers: [] }
    try {
      begin(urgency)
      try {
        await attemptAll(group, urgency, (one) => one.attempt())
      } catch {
        group = { taken: 0, answers: [] }
        begin(urgency)
        await attemptAll(group, urgency, attemptApart)
      }
      database.exec('commit')
    } catch (error) {
      // When it could not even begin, it can for nobody.
      for (const { reject } of waiting.splice(0, group.taken || waiting.length)) reject(asStoreProblem(error, file))
      rollBack()
      return
    }
    waiting.splice(0, group.taken)
    if (urgency === 'now') for (const { answer } of group.answers) answer()
    else answerOnceFlushed(group.answers)
  }

  function begin(urgency: Urgency): void {
    // Left by a commit that could not even be rolled back, or by one that begins anew.
    if (database.isTransaction) database.exec('rollback')
    setMode(urgency)
    database.exec('begin immediate')
  }

  async function attemptAll(group: Group, urgency: Urgency, attempt: (one: Waiting) => Promise<(() => void) | undefined>) {
    const enough = performance.now() + gatherMs
    while (group.taken < waiting.length && performance.now() < enough) {
      const one = waiting[group.taken] as Waiting
      // Came meanwhile; the next commit is its own.
      if (urgency === 'soon' && one.urgency === 'now') break
      group.taken += 1
      const answer = await attempt(one)
      if (answer) group.answers.push({ answer, reject: one.reject })
    }
  }

  /** Other commits go on meanwhile: flushing the log flushes all that stands in it. */
  function answerOnceFlushed(answers: readonly Answer[]): void {
    const flushed = flushNext()
      .then(
        () => {
          for (const { answer } of answers) answer()
        },
        (error: unknown) => {
          for (const { reject } of answers) reject(asFlushProblem(error, file))
        },
      )
      .finally(() => flushing.delete(flushed))
    flushing.add(flushed)
  }

  /** One at a time: who comes while one goes on shares the next. */
  function flushNext(): Promise<void> {
    next ??= current
      .catch(() => undefined)
      .then(() => {
        next = undefined
        current = flushLog()
        return current
      })
    return next
  }

  function setMode(urgency: Urgency): void {
    if (urgency === mode) return
    database.exec(`pragma synchronous = ${urgency === 'now' ? 'full' : 'normal'}`)
    mode = urgency
  }

  /** Throws nothing: whoever writes next tries again, and is told if it still fails. */
  function rollBack(): void {
    try {
      if (database.isTransaction) database.exec('rollback')
    } catch {
      return
    }
  }

  async function attemptApart(one: Waiting): Promise<(() => void) | undefined> {
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

  return {
    write,
    async drained() {
      await idle.promise
      await Promise.all(flushing)
    },
  }
}
