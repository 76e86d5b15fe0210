// Takes in what a host's node tells of itself, for as long as its link is up, from where it was last heard. The host is the link's own,
// whatever the node says, and a node that tells very much is heard slowly.

import type { Logger } from 'pino'
import type { Caller } from '../contract/caller.ts'
import { asMusterError } from '../contract/errors.ts'
import { followNodeEvents } from '../contract/fleet-event.ts'
import { pause } from '../contract/pause.ts'
import { nodeEventCursor, takeInNodeEvents } from '../store/fleet-events.ts'
import type { Store } from '../store/store.ts'
import { batches } from './batches.ts'
import type { FleetHost } from './fleet.ts'
import { type FleetEvents, keptEvents } from './fleet-events.ts'

/** So many a second, and no more, are heard of one node. */
const mostInASecond = 100
const secondMs = 1_000

export interface NodeEventsOf {
  readonly store: Store
  readonly events: Pick<FleetEvents, 'ring'>
  readonly log: Logger
}

/** Never rejects. Ends with the signal, or where the host has nothing of the kind to tell. */
export async function hearNode(host: FleetHost, caller: Caller, to: NodeEventsOf, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    try {
      await hear(host, caller, to, signal)
    } catch (error) {
      const known = asMusterError(error)
      if (signal.aborted) return
      // A node of an older version, or one that only polls.
      if (known.code === 'operation.unknown' || known.code === 'host.deferred') return
      to.log.warn({ host: host.name, error: known.toValue() }, 'what the node tells of itself could not be heard')
      if (!known.retryable) return
    }
    await pause(secondMs, signal)
  }
}

async function hear(host: FleetHost, caller: Caller, { store, events }: NodeEventsOf, signal: AbortSignal): Promise<void> {
  const after = await nodeEventCursor(store, host.id)
  // Of this reading alone: one that breaks off here ends at the node too.
  const reading = new AbortController()
  let sinceMs = performance.now()
  let heard = 0
  try {
    const told = caller.items(followNodeEvents, { after, follow: true }, { signal: AbortSignal.any([signal, reading.signal]) })
    for await (const batch of batches(told, { most: mostInASecond })) {
      if (await takeInNodeEvents(store, { id: host.id, name: host.name }, batch, keptEvents)) events.ring()
      heard += batch.length
      if (heard < mostInASecond) continue
      await pause(Math.max(0, sinceMs + secondMs - performance.now()), signal)
      sinceMs = performance.now()
      heard = 0
    }
  } finally {
    reading.abort()
  }
}
