// Reading on after the connection to the hub broke: the reader says from where, so that nothing is missed and nothing comes twice.

import { setTimeout as sleep } from 'node:timers/promises'
import { asMusterError, hasCode, type MusterError } from '../contract/errors.ts'
import type { Terminal } from './terminal.ts'

const firstPauseMs = 250
const longestPauseMs = 5_000
/** A hub that is restarted is back within this; one that is not should be told to the person. */
const patienceMs = 60_000

/**
 * Calls `read` until it ends well. A failure that may pass is retried, ever slower, for as long as a minute of nothing but failures;
 * `read` calls `progress` whenever it got something.
 */
export async function resuming<T>(
  terminal: Pick<Terminal, 'say'>,
  read: (progress: () => void) => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  let failingSince: number | undefined
  let pauseMs = firstPauseMs
  const progress = () => {
    failingSince = undefined
    pauseMs = firstPauseMs
  }
  for (;;) {
    const startedAt = performance.now()
    try {
      return await read(progress)
    } catch (thrown) {
      const error = asMusterError(thrown)
      // An attempt that lasted was a connection that worked: it waited for a run that was quiet.
      if (performance.now() - startedAt > patienceMs) progress()
      failingSince ??= performance.now()
      if (!mayPass(error) || signal?.aborted || performance.now() - failingSince > patienceMs) throw thrown
      if (pauseMs === longestPauseMs) terminal.say(`${error.message} Trying again.`)
      await sleep(pauseMs, undefined, signal && { signal })
      pauseMs = Math.min(pauseMs * 2, longestPauseMs)
    }
  }
}

/** A hub that stops cancels what it was doing for us: that is its end, not our wish. */
function mayPass(error: MusterError): boolean {
  return error.retryable || hasCode(error, 'call.cancelled')
}
