// Wakes readers in this process when there is something new. It carries nothing: a woken reader looks for itself,
// so that a thousand readers cost a thousand wake-ups and no copy.

export interface Bell {
  ring(): void
  /** Rings so far. Read it before looking, so that a ring in between is not missed. */
  readonly rings: number
  /** Resolves at once if it has rung since, else at the next ring or when `signal` aborts. */
  after(rings: number, signal: AbortSignal): Promise<void>
}

export function makeBell(): Bell {
  let rings = 0
  const wakers = new Set<() => void>()
  return {
    ring() {
      rings += 1
      for (const wake of [...wakers]) wake()
    },
    get rings() {
      return rings
    },
    after(seen, signal) {
      if (rings !== seen || signal.aborted) return Promise.resolve()
      return new Promise((resolve) => {
        const wake = () => {
          wakers.delete(wake)
          signal.removeEventListener('abort', wake)
          resolve()
        }
        wakers.add(wake)
        signal.addEventListener('abort', wake, { once: true })
      })
    },
  }
}
