// Goes on after a break of the way: what failed is asked again, ever slower, for as long as a minute of nothing but failures.

import { setTimeout as sleep } from 'node:timers/promises'
import { asMusterError, type MusterError } from '../contract/errors.ts'

export interface Patience {
  readonly signal: AbortSignal
  /** Told of a break that is being waited out, once it has lasted for a while. */
  readonly onWaiting: (error: MusterError) => void
  /** Nothing but failures for so long ends it. */
  readonly forMs?: number
}

const firstPauseMs = 100
const longestPauseMs = 2_000
const defaultForMs = 60_000

/** `work` says when it got on. Errors that will not pass are thrown at once. */
export async function patiently<T>(
  { signal, onWaiting, forMs = defaultForMs }: Patience,
  work: (gotOn: () => void) => Promise<T>,
): Promise<T> {
  let failingSince: number | undefined
  let pauseMs = firstPauseMs
  const gotOn = () => {
    failingSince = undefined
    pauseMs = firstPauseMs
  }
  for (;;) {
    signal.throwIfAborted()
    try {
      return await work(gotOn)
    } catch (thrown) {
      signal.throwIfAborted()
      const error = asMusterError(thrown)
      failingSince ??= performance.now()
      if (!mayPass(error) || performance.now() - failingSince > forMs) throw thrown
      if (pauseMs >= longestPauseMs) onWaiting(error)
      await sleep(pauseMs, undefined, { signal }).catch(() => undefined)
      pauseMs = Math.min(2 * pauseMs, longestPauseMs)
    }
  }
}

/** A hub or host that stops cancels what it was doing: that is its end, and nobody's wish here. */
function mayPass({ retryable, code }: MusterError): boolean {
  return retryable || code === 'call.cancelled' || code === 'host.stopped'
}
