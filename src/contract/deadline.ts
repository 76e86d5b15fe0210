// One signal for a call: the caller's cancelling and its deadline, whichever comes first, as typed errors. Used by every carrier that
// has no connection of its own to end: the function call and HTTP.

import type { CallOptions } from './caller.ts'
import { failure, hasCode, type MusterError } from './errors.ts'
import type { Operation } from './operation.ts'

export interface Deadline extends Disposable {
  readonly signal: AbortSignal
  /** The first answer of a stream has come: from now on only the caller ends it. */
  met(): void
  /** Ends it for another reason. */
  abort(reason: MusterError): void
}

export function deadlineOf(operation: Operation, { signal, timeoutMs }: CallOptions = {}): Deadline {
  const ending = new AbortController()
  // A connection that has gone is told from a caller who has left: what was asked may be asked again.
  const cancel = () => ending.abort(hasCode(signal?.reason, 'wire.closed') ? signal?.reason : failure('call.cancelled'))
  const timer =
    timeoutMs === undefined
      ? undefined
      : setTimeout(() => ending.abort(failure('call.deadline', { operation: operation.name, ms: timeoutMs })), timeoutMs)
  if (signal?.aborted) cancel()
  signal?.addEventListener('abort', cancel, { once: true })
  return {
    signal: ending.signal,
    met: () => clearTimeout(timer),
    abort: (reason) => ending.abort(reason),
    [Symbol.dispose]() {
      clearTimeout(timer)
      signal?.removeEventListener('abort', cancel)
    },
  }
}
