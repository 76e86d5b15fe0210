// What happens beside runs: one numbering in each store, from 1 without gaps, of which the newest are kept. A hub takes in what its nodes
// tell of themselves in the commit in which it notes how far it has heard each, so that nothing is there twice.

import type { Kysely, Selectable } from 'kysely'
import { FleetEvent, type NodeEvent } from '../contract/fleet-event.ts'
import type { TopicFamily } from '../contract/topic.ts'
import type { FleetEventTable, Tables } from './schema.ts'
import type { Store } from './store.ts'

/** Of the own numbering; the others go by their hosts' ids. */
const own = 'own'

export interface NewFleetEvent {
  readonly topic: `${TopicFamily}.${string}`
  readonly host?: { readonly id: string; readonly name: string } | undefined
  readonly data?: FleetEvent['data']
  /** When it happened, if not just now. */
  readonly at?: string
}

/** All or none of them; of all that there are, the newest `keep` are kept. */
export async function appendFleetEvents(store: Store, events: readonly NewFleetEvent[], keep: number): Promise<void> {
  if (events.length > 0) await store.write((db) => addFleetEvents(db, events, keep))
}

/** The same as part of a write: what it tells of is then so if it is told, and told if it is so. */
export async function addFleetEvents(db: Kysely<Tables>, events: readonly NewFleetEvent[], keep: number): Promise<void> {
  const last = await advance(db, own, events.length)
  const now = new Date().toISOString()
  const rows = events.map(({ topic, host, data = {}, at = now }, index) => ({
    position: last - events.length + index + 1,
    at,
    topic,
    host: host?.id ?? null,
    name: host?.name ?? null,
    data: JSON.stringify(data),
  }))
  await db.insertInto('fleet_event').values(rows).execute()
  await db
    .deleteFrom('fleet_event')
    .where('position', '<=', last - keep)
    .execute()
}

/** Takes in what a host's node has told. What was taken in before is passed over. Answers whether there was anything new. */
export async function takeInNodeEvents(
  store: Store,
  host: { readonly id: string; readonly name: string },
  events: readonly NodeEvent[],
  keep: number,
): Promise<boolean> {
  return store.write(async (db) => {
    // Locks the row by which is decided what is new.
    const taken = await advance(db, host.id, 0)
    const fresh = events.filter(({ position }) => position > taken)
    const last = fresh.at(-1)
    if (!last) return false
    await advance(db, host.id, last.position - taken)
    const told = fresh.map(({ topic, at, data }) => ({ topic: topic as NewFleetEvent['topic'], host, at, data }))
    await addFleetEvents(db, told, keep)
    return true
  })
}

/** How far a host's node has been heard. */
export async function nodeEventCursor({ db }: Store, host: string): Promise<number> {
  const row = await db.selectFrom('event_cursor').select('position').where('source', '=', host).executeTakeFirst()
  return row?.position ?? 0
}

/** For a host that is forgotten. */
export async function forgetNodeEvents(store: Store, host: string): Promise<void> {
  await store.write((db) => db.deleteFrom('event_cursor').where('source', '=', host).execute())
}

/** The number of the newest one; 0 where nothing has happened yet. */
export function lastFleetEvent(store: Store): Promise<number> {
  return nodeEventCursor(store, own)
}

/** Those after a number that are still kept, in their order. */
export async function readFleetEvents({ db }: Store, after: number, limit: number): Promise<FleetEvent[]> {
  const rows = await db
    .selectFrom('fleet_event')
    .selectAll()
    .where('position', '>', after)
    .orderBy('position')
    .limit(limit)
    .execute()
  return rows.map(eventOf)
}

/** Moves a numbering on, and answers where it is then. */
async function advance(db: Kysely<Tables>, source: string, by: number): Promise<number> {
  const { position } = await db
    .insertInto('event_cursor')
    .values({ source, position: by })
    .onConflict((known) => known.column('source').doUpdateSet((row) => ({ position: row('event_cursor.position', '+', by) })))
    .returning('position')
    .executeTakeFirstOrThrow()
  return position
}

function eventOf(row: Selectable<FleetEventTable>): FleetEvent {
  return FleetEvent.parse({ ...row, data: JSON.parse(row.data) })
}
