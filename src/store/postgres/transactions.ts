// A write on PostgreSQL: one READ COMMITTED transaction, tried again when the server undid it for another's sake.
// Works lock the row that they decide by (an update of it, see `lockRun`) before they read it, so that no stronger isolation is
// needed.

import { setTimeout as delay } from 'node:timers/promises'
import type { Kysely } from 'kysely'
import type { Work } from '../engine.ts'
import type { Tables } from '../schema.ts'
import { asStoreProblem, isTransient } from './problem.ts'

const mostTries = 10
const longestPauseMs = 50

export interface Transactions {
  write<T>(work: Work<T>): Promise<T>
  drained(): Promise<void>
}

export function transactions(db: Kysely<Tables>): Transactions {
  const underWay = new Set<Promise<unknown>>()

  function write<T>(work: Work<T>): Promise<T> {
    const writing = attempt(work).finally(() => underWay.delete(writing))
    underWay.add(writing)
    return writing
  }

  async function attempt<T>(work: Work<T>): Promise<T> {
    for (let tries = 1; ; tries += 1) {
      try {
        return await db.transaction().execute(work)
      } catch (error) {
        if (!isTransient(error) || tries === mostTries) throw asStoreProblem(error)
        await delay(Math.random() * longestPauseMs)
      }
    }
  }

  return { write, drained: async () => void (await Promise.allSettled(underWay)) }
}
