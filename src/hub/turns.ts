// Turns for work that needs something scarce: so many at once. While others wait, whoever has had its time is asked to let go, and
// takes another turn later. Without a bound everybody works at once and nobody is asked.

export interface Turns {
  /**
   * Does the work when it is its turn. `over` aborts when it is to let go: it rejects then, and the answer is `letGo`.
   * Rejects with what the work throws, or with the signal's reason.
   */
  take<T>(work: (over: AbortSignal) => Promise<T>, signal: AbortSignal): Promise<T | typeof letGo>
}

export const letGo = Symbol('let go')

interface Turn {
  readonly over: AbortController
  readonly since: number
}

export function makeTurns(most: number, turnMs = 1_000): Turns {
  const taken = new Set<Turn>()
  const waiting = new Set<() => void>()
  let looking: NodeJS.Timeout | undefined

  async function myTurn(signal: AbortSignal): Promise<Turn> {
    while (taken.size >= most) {
      const { promise, resolve } = Promise.withResolvers<void>()
      waiting.add(resolve)
      signal.addEventListener('abort', () => resolve(), { once: true })
      looking ??= setInterval(makeRoom, turnMs / 4)
      await promise
      waiting.delete(resolve)
      if (!signal.aborted) continue
      // It may have been woken for a turn that it does not take.
      wakeNext()
      throw signal.reason
    }
    const turn = { over: new AbortController(), since: performance.now() }
    taken.add(turn)
    return turn
  }

  function wakeNext(): void {
    const [next] = waiting
    if (!next || taken.size >= most) return
    waiting.delete(next)
    next()
  }

  /** Those that began first have had the most. */
  function makeRoom(): void {
    if (waiting.size === 0) {
      clearInterval(looking)
      looking = undefined
      return
    }
    const due = [...taken].filter(({ since }) => performance.now() - since >= turnMs)
    for (const { over } of due.slice(0, waiting.size)) over.abort()
  }

  return {
    async take(work, signal) {
      signal.throwIfAborted()
      const turn = await myTurn(signal)
      try {
        return await work(turn.over.signal)
      } catch (error) {
        if (turn.over.signal.aborted && !signal.aborted) return letGo
        throw error
      } finally {
        taken.delete(turn)
        wakeNext()
      }
    },
  }
}
