// Sees whether the other hub still answers: asks at an interval, and at once when somebody suspects that it does not.
// One question at a time. A slow answer is asked for once more before it counts; whatever else goes wrong counts at once.

import { asMusterError, type MusterError } from '../../contract/errors.ts'
import type { Connection } from '../../wire/reconnect.ts'

export interface Watch extends Connection {
  /** A call has failed in a way that says that the link may be gone. */
  lookNow(): void
}

export interface Watched {
  readonly probe: (signal: AbortSignal) => Promise<void>
  /** False for what may also be a moment's weakness. */
  readonly isAway: (error: MusterError) => boolean
  readonly everyMs?: number
}

export function startWatch({ probe, isAway, everyMs = 5_000 }: Watched): Watch {
  const over = new AbortController()
  const { promise: closed, resolve } = Promise.withResolvers<MusterError>()
  let asking: Promise<void> | undefined
  const timer = setInterval(lookNow, everyMs)

  function lookNow(): void {
    if (asking || over.signal.aborted) return
    asking = look()
      .catch((error) => close(asMusterError(error)))
      .finally(() => {
        asking = undefined
      })
  }

  async function look(): Promise<void> {
    try {
      await probe(over.signal)
    } catch (error) {
      if (isAway(asMusterError(error))) throw error
      await probe(over.signal)
    }
  }

  function close(reason: MusterError): void {
    clearInterval(timer)
    over.abort(reason)
    resolve(reason)
  }

  return { closed, close, lookNow }
}
