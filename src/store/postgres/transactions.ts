// Writes on PostgreSQL. One alone is a READ COMMITTED transaction of its own, tried again when the server undid it for another's
// sake. Where many wait they share transactions, one after the other in each: a round trip and a flush for each would be what takes
// the time. A shared one that fails is undone whole, and each of its works is done alone, so that only the guilty one fails.
//
// Works lock the row that they decide by (an update of it, see `lockRun`) before they read it, so that no stronger isolation is
// needed.

import { setTimeout as delay } from 'node:timers/promises'
import { type Kysely, sql } from 'kysely'
import type { Work } from '../engine.ts'
import type { Tables } from '../schema.ts'
import { asStoreProblem, isUndone } from './problem.ts'

const mostTries = 10
const longestPauseMs = 50
const mostTogether = 128
/** Two that share may wait for each other's rows: soon enough each is done alone. */
const sharedLockTimeoutMs = 200

export interface Transactions {
  write<T>(work: Work<T>): Promise<T>
  drained(): Promise<void>
}

interface Waiting {
  readonly work: Work<unknown>
  readonly resolve: (value: unknown) => void
  readonly reject: (error: unknown) => void
}

/** `most`: so many transactions at once. */
export function transactions(db: Kysely<Tables>, most: number): Transactions {
  const waiting: Waiting[] = []
  const underWay = new Set<Promise<void>>()

  function write<T>(work: Work<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      waiting.push({ work, resolve: resolve as (value: unknown) => void, reject })
      // Whoever is about to write in this turn of the event loop joins in.
      if (waiting.length === 1) setImmediate(beginMore)
    })
  }

  function beginMore(): void {
    while (underWay.size < most && waiting.length > 0) {
      const share = Math.ceil(waiting.length / (most - underWay.size))
      const done = commit(waiting.splice(0, Math.min(share, mostTogether))).finally(() => {
        underWay.delete(done)
        beginMore()
      })
      underWay.add(done)
    }
  }

  async function commit(share: Waiting[]): Promise<void> {
    if (share.length > 1 && (await commitTogether(share))) return
    for (const one of share) await commitAlone(one)
  }

  /** False: nothing was changed, and each is to be done alone. */
  async function commitTogether(share: Waiting[]): Promise<boolean> {
    let worked = false
    try {
      const values = await db.transaction().execute(async (transaction) => {
        await sql`set local lock_timeout = ${sql.lit(sharedLockTimeoutMs)}`.execute(transaction)
        const each: unknown[] = []
        for (const { work } of share) each.push(await work(transaction))
        worked = true
        return each
      })
      share.forEach(({ resolve }, at) => {
        resolve(values[at])
      })
      return true
    } catch (error) {
      // A commit that was not answered may have been done.
      if (!worked || isUndone(error)) return false
      for (const { reject } of share) reject(asStoreProblem(error))
      return true
    }
  }

  async function commitAlone({ work, resolve, reject }: Waiting): Promise<void> {
    for (let tries = 1; ; tries += 1) {
      try {
        return resolve(await db.transaction().execute(work))
      } catch (error) {
        if (!isUndone(error) || tries === mostTries) return reject(asStoreProblem(error))
        await delay(Math.random() * longestPauseMs)
      }
    }
  }

  async function drained(): Promise<void> {
    beginMore()
    while (underWay.size > 0) await Promise.all(underWay)
  }

  return { write, drained }
}
