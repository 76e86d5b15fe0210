// Which hubs read now what this host asks: a question that nobody reads can be answered by nobody.

import { makeBell } from '../../store/bell.ts'

export interface Followers {
  /** A hub reads, until disposed. */
  enter(hub: string): Disposable
  has(hub: string): boolean
  /** Whether this hub reads, now or within that time. */
  within(hub: string, ms: number, signal: AbortSignal): Promise<boolean>
}

export function countFollowers(): Followers {
  const counts = new Map<string, number>()
  const come = makeBell()
  const has = (hub: string) => (counts.get(hub) ?? 0) > 0
  return {
    has,
    enter(hub) {
      counts.set(hub, (counts.get(hub) ?? 0) + 1)
      come.ring()
      return {
        [Symbol.dispose]() {
          const left = (counts.get(hub) ?? 0) - 1
          if (left > 0) counts.set(hub, left)
          else counts.delete(hub)
        },
      }
    },
    async within(hub, ms, signal) {
      const over = AbortSignal.any([signal, AbortSignal.timeout(ms)])
      while (!over.aborted && !has(hub)) {
        const seen = come.rings
        if (!has(hub)) await come.after(seen, over)
      }
      return has(hub)
    },
  }
}
