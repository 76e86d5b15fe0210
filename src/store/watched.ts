// A store that says when its writes begin to fail and when they succeed again: once each, for the log of whoever opened it.

import type { Logger } from 'pino'
import { hasCode, type MusterError } from '../contract/errors.ts'
import type { Store } from './engine.ts'

export interface StoreWatcher {
  readonly failing: (error: MusterError) => void
  readonly mended: () => void
}

export function watched(store: Store, tell: StoreWatcher): Store {
  let failing = false
  return {
    ...store,
    async write(work, urgency) {
      try {
        const done = await store.write(work, urgency)
        if (failing) tell.mended()
        failing = false
        return done
      } catch (error) {
        if (hasCode(error, 'store.unavailable') && !failing) {
          failing = true
          tell.failing(error)
        }
        throw error
      }
    },
    [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
  }
}

/** `whose`: who cannot take or end anything meanwhile. */
export function logOfStore(log: Logger, whose: string): StoreWatcher {
  return {
    failing: (error) =>
      log.error({ error: error.toValue() }, `${whose} cannot write its store: it takes no new work until it can`),
    mended: () => log.info(`${whose} can write its store again`),
  }
}
