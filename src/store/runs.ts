// Runs and their events, by (host, run): a host's own, which it accepts and appends to, and a hub's mirror of other hosts', which
// takes in their journals. Both fold events with the contract's `applyEvent`, so that a row is never anything but its events.

import { type Kysely, type Selectable, sql } from 'kysely'
import { failure } from '../contract/errors.ts'
import { applyEvent, type EventBody, type JournalEntry, type RunEvent } from '../contract/event.ts'
import { isTerminal, type Run, type RunSpec, type RunState, runStates } from '../contract/run.ts'
import { canonicalJson } from './canonical.ts'
import { runCursor, runsOlderThan } from './cursor.ts'
import { toRow, toRun } from './run-row.ts'
import type { RunTable, Tables } from './schema.ts'
import type { Store } from './store.ts'

export { runCursor } from './cursor.ts'

export interface AcceptRequest {
  readonly host: string
  readonly run: string
  readonly spec: RunSpec
  readonly parent: Run['parent']
  readonly title: string
  /** The claim's fencing number. The highest one seen is kept; a lower one is refused. */
  readonly fence: number
  /** When it was accepted, if not now. */
  readonly at?: string
}

/**
 * Makes the run, with its `accepted` event, in one commit. The same id with the same spec is the same run.
 * Rejects with `run.conflict` for another spec, `claim.lost` for a fence below one seen before.
 */
export function acceptRun(
  store: Store,
  { host, run: id, spec, parent, title, fence, at = now() }: AcceptRequest,
): Promise<{ run: Run; created: boolean }> {
  const text = canonicalJson(spec)
  const accepted: RunEvent = { type: 'accepted', seq: 1, at, kind: spec.kind, title, parent }
  const run = applyEvent(undefined, { host, run: id }, accepted)
  return store.write(async (db) => {
    const made = await db
      .insertInto('run')
      .values({ ...toRow(run), spec: text, fence })
      .onConflict((known) => known.columns(['host', 'id']).doNothing())
      .returning('id')
      .executeTakeFirst()
    if (made) {
      await writeJournal(db, host, id, [accepted])
      return { run, created: true }
    }
    const known = await lockRun(db, host, id)
    if (known?.spec !== text) throw failure('run.conflict', { run: id })
    if (fence < known.fence) throw failure('claim.lost', { run: id })
    await db.updateTable('run').set({ fence }).where('host', '=', host).where('id', '=', id).execute()
    return { run: toRun(known), created: false }
  })
}

/** What happened, and when, if not just now. */
export type Happened = EventBody & { readonly at?: string }

/**
 * Appends events to a run: numbers them, gives them their places in the host's journal and folds them, all or none.
 * Rejects with `run.unknown`, or `run.transition` for one that may not follow.
 */
export function appendEvents(
  store: Store,
  host: string,
  id: string,
  bodies: readonly Happened[],
): Promise<{ run: Run; events: RunEvent[] }> {
  return store.write(async (db) => {
    const known = await lockRun(db, host, id)
    if (!known) throw failure('run.unknown', { run: id })
    const begun = known.started_at ?? known.created_at
    const events = bodies.map(
      (body, index): RunEvent => ({
        ...body,
        seq: known.last_event + index + 1,
        at: laterOf(body.at ?? now(), begun),
      }),
    )
    const run = fold(toRun(known), { host, run: id }, events)
    await writeJournal(db, host, id, events)
    await saveRun(db, run)
    return { run, events }
  })
}

/**
 * Takes in a piece of another host's journal, in one commit: events, folded runs and cursor. What is here already is ignored, so
 * that re-delivery is harmless: what a power cut takes away is read from the host again. Answers the runs that changed.
 * Rejects with `wire.protocol` for a run's event that leaves a gap.
 */
export function mirrorEntries(store: Store, host: string, entries: readonly JournalEntry[]): Promise<Run[]> {
  return store.write(async (db) => {
    // Also locks the host's journal, so that two mirrors of it take turns.
    await moveCursor(db, host, Math.max(0, ...entries.map(({ position }) => position)))
    const runs = await loadRuns(db, host, [...new Set(entries.map(({ run }) => run))])
    const fresh: JournalEntry[] = []
    const changed = new Map<string, Run>()
    for (const entry of entries) {
      const before = changed.get(entry.run) ?? runs.get(entry.run)
      const last = before?.lastEvent ?? 0
      if (entry.event.seq <= last) continue
      if (entry.event.seq > last + 1) {
        throw failure('wire.protocol', {
          problem: `the journal has event ${entry.event.seq} of run ${entry.run} after event ${last}`,
        })
      }
      changed.set(entry.run, applyEvent(before, { host, run: entry.run }, entry.event))
      fresh.push(entry)
    }
    if (fresh.length > 0)
      await db
        .insertInto('event')
        .values(fresh.map(({ run, position, event }) => eventRow(host, run, position, event)))
        .execute()
    for (const run of changed.values()) await saveMirrored(db, run, runs.has(run.id))
    return [...changed.values()]
  }, 'soon')
}

/** The position after which a mirror goes on reading that host's journal; 0 at first. */
export async function mirrorCursor(store: Store, host: string): Promise<number> {
  const journal = await store.db.selectFrom('journal').select('position').where('host', '=', host).executeTakeFirst()
  return journal?.position ?? 0
}

/** Moves the cursor past what needed no keeping. It never moves back. */
export async function advanceCursor(store: Store, host: string, position: number): Promise<void> {
  await store.write((db) => moveCursor(db, host, position))
}

export async function getRun(store: Store, host: string, id: string): Promise<Run | undefined> {
  return (await loadRuns(store.db, host, [id])).get(id)
}

/** What was asked to run. Undefined for an unknown run, and for a mirrored one: its spec stays on its host. */
export async function getSpec(store: Store, host: string, id: string): Promise<RunSpec | undefined> {
  const row = await store.db.selectFrom('run').select('spec').where('host', '=', host).where('id', '=', id).executeTakeFirst()
  return row?.spec ? (JSON.parse(row.spec) as RunSpec) : undefined
}

export interface RunFilter {
  readonly host?: string | undefined
  readonly states?: readonly RunState[] | undefined
  readonly kind?: Run['kind'] | undefined
  /** The workflow run whose units and steps are wanted. */
  readonly parent?: string | undefined
  /** A cursor from an earlier page: only older ones. */
  readonly before?: string | undefined
  readonly limit: number
}

/**
 * A page of runs, newest first. `next` is the cursor of the page after it. Rejects with `input.invalid` for a cursor that is
 * none.
 */
export async function listRuns(store: Store, { states, ...filter }: RunFilter): Promise<{ runs: Run[]; next: string | null }> {
  const { limit } = filter
  const rows = await (states === undefined ? newestRuns(store, filter).execute() : newestInStates(store, filter, states))
  const runs = rows.map(toRun).sort(newestFirst)
  const page = runs.slice(0, limit)
  const last = page.at(-1)
  return { runs: page, next: runs.length > limit && last ? runCursor(last) : null }
}

/**
 * A page of each state, which is read from the index, in one query, so that a run is in one state. Asked for runs in any of the
 * states, SQLite would go through all of them, newest first, for the few that are live.
 */
async function newestInStates(store: Store, filter: Omit<RunFilter, 'states'>, states: readonly RunState[]) {
  const pages = [...new Set(states)].map((state) =>
    store.db.selectFrom(newestRuns(store, filter).where('state', '=', state).as('page')).selectAll(),
  )
  const [first, ...others] = pages
  return first ? others.reduce((all, page) => all.unionAll(page), first).execute() : []
}

/** One more than the page holds: it tells that there is a next one. */
function newestRuns({ db }: Store, { host, kind, parent, before, limit }: Omit<RunFilter, 'states'>) {
  let query = db
    .selectFrom('run')
    .selectAll()
    .orderBy('created_at', 'desc')
    .orderBy('id', 'desc')
    .limit(limit + 1)
  if (host !== undefined) query = query.where('host', '=', host)
  if (kind !== undefined) query = query.where('kind', '=', kind)
  if (parent !== undefined) query = query.where('parent_run', '=', parent)
  if (before !== undefined) query = query.where(runsOlderThan(before))
  return query
}

function newestFirst(a: Run, b: Run): number {
  if (a.createdAt !== b.createdAt) return a.createdAt < b.createdAt ? 1 : -1
  return a.id < b.id ? 1 : -1
}

/** The runs of a host that have not ended, oldest first. */
export async function liveRuns({ db }: Store, host: string): Promise<Run[]> {
  // Put in order here: asked for an order, SQLite would go through all runs in it.
  const rows = await db.selectFrom('run').selectAll().where('host', '=', host).where('state', 'in', liveStates).execute()
  return rows.map(toRun).sort((a, b) => newestFirst(b, a))
}

/** A run's events after a number, in order. */
export async function readEvents(store: Store, host: string, id: string, after: number, limit: number): Promise<RunEvent[]> {
  const rows = await store.db
    .selectFrom('event')
    .select(['seq', 'at', 'body'])
    .where('host', '=', host)
    .where('run', '=', id)
    .where('seq', '>', after)
    .orderBy('seq')
    .limit(limit)
    .execute()
  return rows.map(toEvent)
}

/** A host's journal after a position, in order. */
export async function readJournal(store: Store, host: string, after: number, limit: number): Promise<JournalEntry[]> {
  const rows = await store.db
    .selectFrom('event')
    .select(['run', 'position', 'seq', 'at', 'body'])
    .where('host', '=', host)
    .where('position', '>', after)
    .orderBy('position')
    .limit(limit)
    .execute()
  return rows.map((row) => ({ position: row.position, run: row.run, event: toEvent(row) }))
}

/** The runs of a mirrored host whose output and artifacts have not been copied whole, oldest first. */
export async function outputGaps(store: Store, host: string): Promise<string[]> {
  const rows = await store.db
    .selectFrom('run')
    .select('id')
    .where('host', '=', host)
    .where('output_whole', '=', sql.lit(0))
    .where('spec', 'is', null)
    .orderBy('created_at')
    .orderBy('id')
    .execute()
  return rows.map(({ id }) => id)
}

/** Notes that a mirrored run's output and artifacts are here whole. The bytes are on disk before this is called. */
export async function closeOutputGap(store: Store, host: string, id: string): Promise<void> {
  await store.write((db) =>
    db.updateTable('run').set({ output_whole: 1 }).where('host', '=', host).where('id', '=', id).execute(),
  )
}

const liveStates = (Object.keys(runStates) as RunState[]).filter((state) => !isTerminal(state))

/**
 * The run's row, locked until this write ends. An update that changes nothing locks a row on both engines; a plain read would let
 * another PostgreSQL transaction append between the read and the write.
 */
async function lockRun(db: Kysely<Tables>, host: string, id: string): Promise<Selectable<RunTable> | undefined> {
  return db
    .updateTable('run')
    .set((row) => ({ last_event: row.ref('last_event') }))
    .where('host', '=', host)
    .where('id', '=', id)
    .returningAll()
    .executeTakeFirst()
}

function fold(run: Run, address: { host: string; run: string }, events: readonly RunEvent[]): Run {
  return events.reduce((before, event) => applyEvent(before, address, event), run)
}

/** The counter's row stays locked until the commit, so that positions become visible in their order. */
async function writeJournal(db: Kysely<Tables>, host: string, run: string, events: readonly RunEvent[]): Promise<void> {
  if (events.length === 0) return
  const { position: last } = await db
    .insertInto('journal')
    .values({ host, position: events.length })
    .onConflict((known) => known.column('host').doUpdateSet((row) => ({ position: row('journal.position', '+', events.length) })))
    .returning('position')
    .executeTakeFirstOrThrow()
  const first = last - events.length + 1
  await db
    .insertInto('event')
    .values(events.map((event, index) => eventRow(host, run, first + index, event)))
    .execute()
}

async function moveCursor(db: Kysely<Tables>, host: string, position: number): Promise<void> {
  await db
    .insertInto('journal')
    .values({ host, position })
    .onConflict((known) =>
      known.column('host').doUpdateSet((row) => ({
        position: row.case().when('journal.position', '<', position).then(position).else(row.ref('journal.position')).end(),
      })),
    )
    .execute()
}

async function loadRuns(db: Kysely<Tables>, host: string, ids: readonly string[]): Promise<Map<string, Run>> {
  if (ids.length === 0) return new Map()
  const rows = await db.selectFrom('run').selectAll().where('host', '=', host).where('id', 'in', ids).execute()
  return new Map(rows.map((row) => [row.id, toRun(row)]))
}

async function saveRun(db: Kysely<Tables>, run: Run): Promise<void> {
  await db.updateTable('run').set(toRow(run)).where('host', '=', run.host).where('id', '=', run.id).execute()
}

async function saveMirrored(db: Kysely<Tables>, run: Run, known: boolean): Promise<void> {
  if (known) await saveRun(db, run)
  else
    await db
      .insertInto('run')
      .values({ ...toRow(run), spec: null, fence: 0 })
      .execute()
}

function eventRow(host: string, run: string, position: number, { seq, at, ...body }: RunEvent) {
  return { host, run, seq, position, at, body: JSON.stringify(body) }
}

function toEvent({ seq, at, body }: { seq: number; at: string; body: string }): RunEvent {
  return { ...(JSON.parse(body) as EventBody), seq, at }
}

/** A clock that was set back puts nothing before its beginning. Both are ISO 8601 of one length. */
function laterOf(one: string, other: string): string {
  return one > other ? one : other
}

function now(): string {
  return new Date().toISOString()
}
