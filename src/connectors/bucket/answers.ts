// Who waits for the answer to which object in the bucket: a job, or something that was asked. An answer that nobody waits for is dropped.

import type { MusterError } from '../../contract/errors.ts'
import { untilAborted } from './until-aborted.ts'

export interface Answers {
  /** What the object of this key is answered with; rejects with the signal's reason. */
  wait(to: string, signal: AbortSignal): Promise<unknown>
  settle(to: string, error: MusterError | undefined, value: unknown): void
  settleAll(error: MusterError): void
  /** For how many objects somebody waits. */
  readonly size: number
}

/** `onWait`: that somebody has begun to. */
export function makeAnswers(onWait: () => void): Answers {
  const waiting = new Map<string, Set<PromiseWithResolvers<unknown>>>()

  function settle(to: string, error: MusterError | undefined, value: unknown): void {
    for (const one of waiting.get(to) ?? []) {
      if (error) one.reject(error)
      else one.resolve(value)
    }
    waiting.delete(to)
  }

  return {
    async wait(to, signal) {
      const one = Promise.withResolvers<unknown>()
      const those = waiting.get(to) ?? new Set()
      waiting.set(to, those.add(one))
      onWait()
      try {
        return await untilAborted(one.promise, signal)
      } finally {
        those.delete(one)
        if (those.size === 0 && waiting.get(to) === those) waiting.delete(to)
      }
    },
    settle,
    settleAll(error) {
      for (const to of [...waiting.keys()]) settle(to, error, undefined)
    },
    get size() {
      return waiting.size
    },
  }
}
