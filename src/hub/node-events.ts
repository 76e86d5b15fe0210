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
import { limitTries, type Tries } from './tries.ts'

/** So many of one node are heard within a window, whatever it tells and however often it dials: 50,000 are kept of all. */
const mostInWindow = 1_000
const windowMs = 15 * 60_000
const mostInABatch = 100
const againAfterMs = 1_000

/** How much more of a node is heard. One for as long as its host is followed, over all of its links. */
export function nodeAllowance(): Tries {
  return limitTries({ windowMs, most: mostInWindow })
}

export interface NodeEventsOf {
  readonly store: Store
  readonly events: Pick<FleetEvents, 'ring'>
  readonly allowance: Tries
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
    await pause(againAfterMs, signal)
  }
}

async function hear(
  host: FleetHost,
  caller: Caller,
  { store, events, allowance }: NodeEventsOf,
  signal: AbortSignal,
): Promise<void> {
  const after = await nodeEventCursor(store, host.id)
  // Of this reading alone: one that breaks off here ends at the node too.
  const reading = new AbortController()
  try {
    const told = caller.items(followNodeEvents, { after, follow: true }, { signal: AbortSignal.any([signal, reading.signal]) })
    for await (const batch of batches(told, { most: mostInABatch })) {
      await pause(allowance.waitMs(), signal)
      if (signal.aborted) return
      if (await takeInNodeEvents(store, { id: host.id, name: host.name }, batch, keptEvents)) events.ring()
      for (const _ of batch) allowance.note()
    }
  } finally {
    reading.abort()
  }
}
