// Waiting for news or for a while, whichever is first. A ring while nobody waits is not lost.

import { pause } from '../../contract/pause.ts'

export interface Bell {
  ring(): void
  /** Resolves at the next ring (or one since the last wait), after `ms`, or when the signal aborts. */
  wait(ms: number, signal: AbortSignal): Promise<void>
}

export function makeBell(): Bell {
  let rung = false
  let waiting = new AbortController()
  return {
    ring() {
      rung = true
      waiting.abort()
    },
    async wait(ms, signal) {
      if (!rung) await pause(ms, AbortSignal.any([signal, waiting.signal]))
      rung = false
      waiting = new AbortController()
    },
  }
}
