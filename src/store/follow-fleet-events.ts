// Reads the events of a store page by page, and with `follow` those to come: what a hub's subscribers and a node's hub read. A reader that
// is slow, or comes late, costs one page, and is told where what it has not read is no longer kept.

import { failure } from '../contract/errors.ts'
import type { FleetEvent } from '../contract/fleet-event.ts'
import type { Bell } from './bell.ts'
import { lastFleetEvent, readFleetEvents } from './fleet-events.ts'
import type { Store } from './store.ts'

const pageSize = 200

export interface FollowedEvents {
  readonly store: Store
  readonly bell: Pick<Bell, 'rings' | 'after'>
  /** The topic of what stands for those that are gone, numbered as the last of them. */
  readonly gap: `${string}.gap`
}

/** Rejects with `events.ahead` for a number that this store has not given out: who has it was told by another one. */
export async function* followKeptEvents(
  { store, bell, gap }: FollowedEvents,
  { after, follow, last: newest }: { after: number; follow: boolean; last?: number | undefined },
  signal: AbortSignal,
): AsyncGenerator<FleetEvent> {
  const last = await lastFleetEvent(store)
  if (after > last) throw failure('events.ahead', { after, last })
  let position = after === 0 && newest !== undefined ? Math.max(0, last - newest) : after
  for (;;) {
    const seen = bell.rings
    const page = await readFleetEvents(store, position, pageSize)
    const [first] = page
    if (first && first.position > position + 1) yield gone(gap, position, first)
    for (const event of page) {
      yield event
      position = event.position
    }
    if (page.length === pageSize) continue
    if (!follow) return
    await bell.after(seen, signal)
    signal.throwIfAborted()
  }
}

function gone(topic: string, after: number, { position, at }: FleetEvent): FleetEvent {
  const through = position - 1
  return { position: through, at, topic, host: null, name: null, data: { after, through } }
}
