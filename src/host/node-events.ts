// What this node tells of itself beside its runs: kept in its store, numbered, and read by its hubs. Whoever has something to tell publishes.

import type { Logger } from 'pino'
import { asMusterError } from '../contract/errors.ts'
import { type FleetEvent, followNodeEvents } from '../contract/fleet-event.ts'
import { type Bound, implement } from '../contract/implementation.ts'
import { makeBell } from '../store/bell.ts'
import { appendFleetEvents } from '../store/fleet-events.ts'
import { followKeptEvents } from '../store/follow-fleet-events.ts'
import type { Store } from '../store/store.ts'

/** A hub takes them in as they come; one that has been away for so many is told of the gap. */
const keptEvents = 1_000

export interface NodeEvents {
  /** Resolves once it is kept, or cannot be: a full disk is no reason to stop what it tells of. */
  publish(topic: `node.${string}`, data?: FleetEvent['data']): Promise<void>
  /** The operation by which hubs read them. */
  readonly reading: Bound
}

export function openNodeEvents({ store, log }: { readonly store: Store; readonly log: Logger }): NodeEvents {
  const bell = makeBell()
  return {
    async publish(topic, data = {}) {
      try {
        await appendFleetEvents(store, [{ topic, data }], keptEvents)
        bell.ring()
      } catch (error) {
        log.warn({ topic, error: asMusterError(error).toValue() }, 'what happened on this node could not be kept for its hub')
      }
    },
    reading: implement(followNodeEvents, async function* (from, { signal }) {
      for await (const { position, at, topic, data } of followKeptEvents({ store, bell, gap: 'node.gap' }, from, signal))
        yield { position, at, topic, data }
    }),
  }
}
