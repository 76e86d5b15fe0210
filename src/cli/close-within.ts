// Closing what a server has open, for a bounded time: a client that never lets go must not keep a stopped hub alive.

import { setTimeout as sleep } from 'node:timers/promises'

export const closeDeadlineMs = 10_000

/** False when it was not closed in time. */
export async function closeWithin(open: AsyncDisposable, deadlineMs = closeDeadlineMs): Promise<boolean> {
  const waiting = new AbortController()
  const late = sleep(deadlineMs, false, { signal: waiting.signal }).catch(() => false)
  const closed = await Promise.race([open[Symbol.asyncDispose]().then(() => true), late])
  waiting.abort()
  return closed
}
