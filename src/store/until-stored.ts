// Waiting for room: work that cannot be stored is tried again until it can. For what cannot be told to try again later, a workflow.

import { setTimeout as delay } from 'node:timers/promises'
import { hasCode } from '../contract/errors.ts'

const againMs = 1_000

/** Rejects with what the work throws: with `store.unavailable` only once `signal` has aborted. */
export async function untilStored<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T> {
  for (;;) {
    try {
      return await work()
    } catch (error) {
      if (!hasCode(error, 'store.unavailable') || signal.aborted) throw error
      // An abort ends the pause, and then one last try is made.
      await delay(againMs, undefined, { signal }).catch(() => undefined)
    }
  }
}
