// Wake-ups inside this process, by name: "something about run X has changed, look again". They carry no data and may be early;
// whoever waits takes the promise first, then looks, then awaits it, so that no change falls between.

import { failure } from '../contract/errors.ts'

export interface Signals {
  notify(name: string): void
  /** Resolves at the next notify of the name; rejects with `call.cancelled` when the signal aborts. */
  next(name: string, signal: AbortSignal): Promise<void>
}

export function createSignals(): Signals {
  const waiting = new Map<string, Set<() => void>>()
  return {
    notify(name) {
      const wake = waiting.get(name)
      waiting.delete(name)
      for (const one of wake ?? []) one()
    },
    next(name, signal) {
      const woken = new Promise<void>((resolve, reject) => {
        const wakers = waiting.get(name) ?? new Set()
        waiting.set(name, wakers)
        const settle = (end: () => void) => () => {
          signal.removeEventListener('abort', cancel)
          wakers.delete(wake)
          if (wakers.size === 0 && waiting.get(name) === wakers) waiting.delete(name)
          end()
        }
        const wake = settle(resolve)
        const cancel = settle(() => reject(failure('call.cancelled')))
        wakers.add(wake)
        if (signal.aborted) cancel()
        else signal.addEventListener('abort', cancel, { once: true })
      })
      // A waiter that finds what it wanted at its look never awaits this.
      woken.catch(() => undefined)
      return woken
    },
  }
}
