// Keeps a connection up: dials, watches, dials again. The wait before each try is random within a bound that doubles
// ("full jitter"), so that a thousand nodes that lost their hub together do not come back together.

import { asMusterError, failure, type MusterError } from '../contract/errors.ts'

export interface Connection {
  /** Resolves when it has ended, with why. */
  readonly closed: Promise<MusterError>
  close(reason: MusterError): void
}

export interface KeepConnected<C extends Connection> {
  readonly connect: (signal: AbortSignal) => Promise<C>
  readonly onConnected: (connection: C) => void
  /** A connection ended, or could not be made; the next try is made after `retryMs`. Not told of the end by `signal`. */
  readonly onDisconnected?: (reason: MusterError, retryMs: number) => void
  /** Whether trying again cannot help. */
  readonly isFinal?: (error: MusterError) => boolean
  /** Ends it: the connection is closed and no other is made. */
  readonly signal: AbortSignal
  /** The first wait is at most this; each further one at most double, up to `maxMs`. */
  readonly baseMs?: number
  readonly maxMs?: number
  /** A connection that lasted this long starts the doubling anew. A shorter one does not: it may be what fails. */
  readonly healthyMs?: number
  /** From 0 (included) to 1 (excluded). */
  readonly random?: () => number
}

/** Resolves once `signal` has aborted and the connection is closed; rejects with the first error that is final. */
export async function keepConnected<C extends Connection>(options: KeepConnected<C>): Promise<void> {
  const { connect, onConnected, onDisconnected, isFinal = () => false, signal } = options
  const { baseMs = 500, maxMs = 20_000, healthyMs = 30_000, random = Math.random } = options
  let failures = 0

  while (!signal.aborted) {
    const { reason, lastedMs } = await connectOnce()
    if (signal.aborted) return
    if (isFinal(reason)) throw reason
    if (lastedMs >= healthyMs) failures = 0
    const retryMs = random() * Math.min(maxMs, baseMs * 2 ** failures)
    failures++
    onDisconnected?.(reason, retryMs)
    await wait(retryMs, signal)
  }

  async function connectOnce(): Promise<{ reason: MusterError; lastedMs: number }> {
    let connection: C
    try {
      connection = await connect(signal)
    } catch (error) {
      return { reason: asMusterError(error), lastedMs: 0 }
    }
    const connectedAt = performance.now()
    const leave = () => connection.close(failure('wire.closed', { reason: 'the other side is leaving' }))
    signal.addEventListener('abort', leave, { once: true })
    try {
      if (signal.aborted) leave()
      else onConnected(connection)
      const reason = await connection.closed
      return { reason, lastedMs: performance.now() - connectedAt }
    } finally {
      signal.removeEventListener('abort', leave)
      leave()
    }
  }
}

/** Ends early when the signal aborts. */
function wait(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(done, ms)
    function done(): void {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
    signal.addEventListener('abort', done, { once: true })
    // It may have aborted while the end of the connection was told.
    if (signal.aborted) done()
  })
}
