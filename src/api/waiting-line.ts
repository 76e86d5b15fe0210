// A waiting line: so much work at once, a bounded rest waits in the order in which it came. The tunnel's door takes in with it the
// thousands of nodes that dial together when their hub is back: one that is turned away waits longer before it tries again.

import { failure } from '../contract/errors.ts'

export interface WaitingLine {
  /** Begins the work, now or when its turn comes. Throws `wire.overloaded` when too much waits already. */
  take(work: () => Promise<void>): void
}

export function makeWaitingLine({ atOnce, mostWaiting }: { atOnce: number; mostWaiting: number }): WaitingLine {
  const waiting: (() => Promise<void>)[] = []
  let busy = 0

  function begin(work: () => Promise<void>): void {
    busy += 1
    void work().finally(() => {
      busy -= 1
      const next = waiting.shift()
      if (next) begin(next)
    })
  }

  return {
    take(work) {
      if (busy < atOnce) return begin(work)
      if (waiting.length >= mostWaiting) throw failure('wire.overloaded', { pending: busy + waiting.length })
      waiting.push(work)
    },
  }
}
