// A waiting line: so much work at once, a bounded rest waits in the order in which it came. The tunnel's door hands it to the handshakes
// of the thousands of nodes that dial together when their hub is back: one that is turned away waits longer before it tries again.

import { failure } from '../contract/errors.ts'

export interface WaitingLine {
  /** Does the work, now or when its turn comes. Rejects with `wire.overloaded` when too much waits already. */
  take<T>(work: () => Promise<T>): Promise<T>
}

export function makeWaitingLine({ atOnce, mostWaiting }: { atOnce: number; mostWaiting: number }): WaitingLine {
  const waiting: (() => void)[] = []
  let busy = 0

  async function begin<T>(work: () => Promise<T>): Promise<T> {
    busy += 1
    try {
      return await work()
    } finally {
      busy -= 1
      waiting.shift()?.()
    }
  }

  return {
    async take(work) {
      if (busy < atOnce) return begin(work)
      if (waiting.length >= mostWaiting) throw failure('wire.overloaded', { pending: busy + waiting.length })
      return new Promise((resolve, reject) => waiting.push(() => void begin(work).then(resolve, reject)))
    },
  }
}
