// Approvals: a host's own questions to people, and at a hub those of all its hosts. A row is made pending and ends once; each change
// takes the next position of its host, under which a hub reads it.

import type { Kysely, Selectable } from 'kysely'
import { type Answer, Approval, type ApprovalState, approvalStates, type Resolution } from '../contract/approval.ts'
import { failure } from '../contract/errors.ts'
import type { ApprovalTable, Tables } from './schema.ts'
import type { Store } from './store.ts'

export interface PositionedApproval {
  readonly position: number
  readonly approval: Approval
}

export interface AskingLimits {
  /** So many may wait at once for an answer of one hub: none keeps another from asking. */
  readonly pending: number
  /** So many may be asked in an hour for one asker. */
  readonly anHour: number
  /** And for all of one hub: who its askers are is what it says. */
  readonly anHourOfHub: number
}

const anHourMs = 3600_000
const keptMs = 7 * 24 * 3600_000
const copiesKeptMs = 90 * 24 * 3600_000

/**
 * Keeps a question of this host's. Throws `approval.too_many` where too many wait, `approval.too_often` where this asker has asked too
 * much. What ended long ago is forgotten on the way.
 */
export async function askApproval(store: Store, host: string, approval: Approval, limits: AskingLimits): Promise<void> {
  const { asked, createdAt } = approval
  const before = (ms: number) => new Date(Date.parse(createdAt) - ms).toISOString()
  await store.write(async (db) => {
    const position = await nextPosition(db, host)
    const its = db
      .selectFrom('approval')
      .select(({ fn }) => fn.countAll().as('rows'))
      .where('host', '=', host)
      .where('hub', '=', asked.hub)
    const waiting = await its.where('state', '=', 'pending').executeTakeFirstOrThrow()
    if (Number(waiting.rows) >= limits.pending) throw failure('approval.too_many', { pending: limits.pending })
    const lately = its.where('created_at', '>', before(anHourMs))
    const ofAsker = await lately.where('asker', asked.asker === null ? 'is' : '=', asked.asker).executeTakeFirstOrThrow()
    if (Number(ofAsker.rows) >= limits.anHour) throw failure('approval.too_often', { anHour: limits.anHour, of: 'asker' })
    const ofHub = await lately.executeTakeFirstOrThrow()
    if (Number(ofHub.rows) >= limits.anHourOfHub) throw failure('approval.too_often', { anHour: limits.anHourOfHub, of: 'hub' })
    await db
      .deleteFrom('approval')
      .where('host', '=', host)
      .where('state', '!=', 'pending')
      .where('created_at', '<', before(keptMs))
      .execute()
    await db.insertInto('approval').values(rowOf(host, { position, approval })).execute()
  })
}

export interface Ending {
  readonly state: Exclude<ApprovalState, 'pending'>
  readonly resolution: Resolution
  /** Whoever waits begins at once what was approved: it is spent by this very write. */
  readonly spent: boolean
}

/** Ends an approval of this host's that is pending. Undefined: it is not, and nothing was changed. */
export async function endApproval(
  store: Store,
  host: string,
  id: string,
  { state, resolution, spent }: Ending,
): Promise<Approval | undefined> {
  if (!mayEndAs(state)) throw failure('internal', { problem: `an approval cannot end as ${state}` })
  return store.write(async (db) => {
    const position = await nextPosition(db, host)
    const row = await db
      .updateTable('approval')
      .set({ state, position, resolution: JSON.stringify(resolution), spent_at: spent ? resolution.at : null })
      .where('host', '=', host)
      .where('id', '=', id)
      .where('state', '=', 'pending')
      .returningAll()
      .executeTakeFirst()
    return row && approvalOf(row)
  })
}

/** Spends what was approved while nobody waited. False: it was spent, or is not approved. */
export async function spendApproval(store: Store, host: string, id: string): Promise<boolean> {
  const row = await store.write((db) =>
    db
      .updateTable('approval')
      .set({ spent_at: new Date().toISOString() })
      .where('host', '=', host)
      .where('id', '=', id)
      .where('state', 'in', ['approved', 'approved_session'])
      .where('spent_at', 'is', null)
      .returning('id')
      .executeTakeFirst(),
  )
  return row !== undefined
}

/** Ends what a former life of this host has asked: nobody waits for it any more. */
export async function endUnattended(store: Store, host: string, resolution: Resolution): Promise<void> {
  const left = await store.db
    .selectFrom('approval')
    .select('id')
    .where('host', '=', host)
    .where('state', '=', 'pending')
    .execute()
  for (const { id } of left) await endApproval(store, host, id, { state: 'unavailable', resolution, spent: false })
}

/** What this host asks `hub`, changed after `after`, in the order of the changes. */
export async function approvalChanges(
  { db }: Store,
  host: string,
  { hub, after, limit }: { hub: string; after: number; limit: number },
): Promise<PositionedApproval[]> {
  const rows = await db
    .selectFrom('approval')
    .selectAll()
    .where('host', '=', host)
    .where('hub', '=', hub)
    .where('position', '>', after)
    .orderBy('position')
    .limit(limit)
    .execute()
  return rows.map((row) => ({ position: row.position, approval: approvalOf(row) }))
}

/** At a host the last position given out, at a hub the last one taken in. */
export async function lastApprovalPosition({ db }: Store, host: string): Promise<number> {
  const row = await db.selectFrom('approval_cursor').select('position').where('host', '=', host).executeTakeFirst()
  return row?.position ?? 0
}

export interface TakenIn {
  /** Those that are new here, or stand otherwise than before. */
  readonly changed: Approval[]
  /** Those that contradict what is known here, or are more than any host may have waiting. */
  readonly refused: Approval[]
}

/** A host's own limits are lower; one that keeps none must not fill the hub. */
export const mostPendingCopies = 100
const mostOverCopies = 1_000

/**
 * A hub's copy of what a host asks. The host that has asked decides what became of it; what it asked is never anything else than what
 * it was at first. Who answered is this hub's own note and not the host's word.
 */
export async function takeInApprovals(store: Store, host: string, entries: readonly PositionedApproval[]): Promise<TakenIn> {
  return store.write(async (db) => {
    const changed: Approval[] = []
    const refused: Approval[] = []
    for (const { approval } of entries) {
      const known = await db.selectFrom('approval').selectAll().where('id', '=', approval.id).executeTakeFirst()
      if (known && (known.host !== host || known.digest !== approval.digest)) refused.push(approval)
      else if (known && mayBecome(approvalOf(known), approval.state)) changed.push(await updateCopy(db, known, approval))
      else if (!known && (await hasRoom(db, host))) changed.push(await insertCopy(db, host, approval))
      else if (!known) refused.push(approval)
    }
    if (changed.length > 0) await forgetOldest(db, host)
    const read = Math.max(0, ...entries.map(({ position }) => position))
    await db
      .insertInto('approval_cursor')
      .values({ host, position: read })
      .onConflict((known) =>
        known.column('host').doUpdateSet((row) => ({
          position: row
            .case()
            .when('approval_cursor.position', '<', read)
            .then(read)
            .else(row.ref('approval_cursor.position'))
            .end(),
        })),
      )
      .execute()
    return { changed, refused }
  })
}

async function hasRoom(db: Kysely<Tables>, host: string): Promise<boolean> {
  const { rows } = await db
    .selectFrom('approval')
    .select(({ fn }) => fn.countAll().as('rows'))
    .where('host', '=', host)
    .where('state', '=', 'pending')
    .executeTakeFirstOrThrow()
  return Number(rows) < mostPendingCopies
}

/** Of those that are over, however they came to be. */
async function forgetOldest(db: Kysely<Tables>, host: string): Promise<void> {
  const tooMany = await db
    .selectFrom('approval')
    .select('id')
    .where('host', '=', host)
    .where('state', '!=', 'pending')
    .orderBy('created_at', 'desc')
    .orderBy('id', 'desc')
    .offset(mostOverCopies)
    .limit(mostOverCopies)
    .execute()
  const ids = tooMany.map(({ id }) => id)
  if (ids.length > 0) await db.deleteFrom('approval').where('id', 'in', ids).execute()
}

/** A hub's copies of what was asked long ago, also by hosts that are no more. */
export async function forgetOldCopies(store: Store, now: number): Promise<void> {
  await store.write((db) =>
    db
      .deleteFrom('approval')
      .where('state', '!=', 'pending')
      .where('created_at', '<', new Date(now - copiesKeptMs).toISOString())
      .execute(),
  )
}

/** A hub that has heard nothing takes a question for expired at its time; the host may still say otherwise. */
function mayBecome({ state, resolution }: Approval, next: ApprovalState): boolean {
  const isAssumed = state === 'timeout' && resolution?.reason === assumed
  return isAssumed ? next !== 'pending' && next !== 'timeout' : (approvalStates[state] as readonly string[]).includes(next)
}

const assumed = 'its time was over, and its host has not said more'

async function insertCopy(db: Kysely<Tables>, host: string, approval: Approval): Promise<Approval> {
  const copy = { ...approval, resolution: approval.resolution && { ...approval.resolution, by: null } }
  await db
    .insertInto('approval')
    .values(rowOf(host, { position: 0, approval: copy }))
    .execute()
  return copy
}

async function updateCopy(
  db: Kysely<Tables>,
  known: Selectable<ApprovalTable>,
  { state, resolution }: Approval,
): Promise<Approval> {
  const row = await db
    .updateTable('approval')
    .set({ state, resolution: JSON.stringify(resolution && { ...resolution, by: null }) })
    .where('id', '=', known.id)
    .returningAll()
    .executeTakeFirstOrThrow()
  return approvalOf(row)
}

export interface AnswerNote {
  readonly outcome: Answer
  readonly by: string
}

/** A hub notes who answers before it tells the host. Resolves with the note that was there before. */
export async function noteAnswer(store: Store, id: string, note: AnswerNote | null): Promise<AnswerNote | null> {
  return store.write(async (db) => {
    const known = await db.selectFrom('approval').select('answer').where('id', '=', id).executeTakeFirst()
    await db
      .updateTable('approval')
      .set({ answer: note && JSON.stringify(note) })
      .where('id', '=', id)
      .execute()
    return noteOf(known?.answer ?? null)
  })
}

/** A hub's copies that should have ended by `now`, ended here. */
export async function endOverdue(store: Store, now: string): Promise<{ host: string; approval: Approval }[]> {
  const overdue = () => store.db.selectFrom('approval').select('id').where('state', '=', 'pending').where('expires_at', '<', now)
  if (!(await overdue().limit(1).executeTakeFirst())) return []
  const rows = await store.write((db) =>
    db
      .updateTable('approval')
      .set({ state: 'timeout', resolution: JSON.stringify({ at: now, by: null, reason: assumed } satisfies Resolution) })
      .where('state', '=', 'pending')
      .where('expires_at', '<', now)
      .returningAll()
      .execute(),
  )
  return rows.map((row) => ({ host: row.host, approval: approvalOf(row) }))
}

export async function findApproval({ db }: Store, id: string): Promise<{ host: string; approval: Approval } | undefined> {
  const row = await db.selectFrom('approval').selectAll().where('id', '=', id).executeTakeFirst()
  return row && { host: row.host, approval: approvalOf(row) }
}

export interface ApprovalFilter {
  readonly host?: string | undefined
  readonly states?: readonly ApprovalState[] | undefined
  readonly limit: number
}

/** Newest first. */
export async function listApprovals(
  { db }: Store,
  { host, states, limit }: ApprovalFilter,
): Promise<{ host: string; approval: Approval }[]> {
  let query = db.selectFrom('approval').selectAll()
  if (host !== undefined) query = query.where('host', '=', host)
  if (states) query = query.where('state', 'in', states)
  const rows = await query.orderBy('created_at', 'desc').orderBy('id', 'desc').limit(limit).execute()
  return rows.map((row) => ({ host: row.host, approval: approvalOf(row) }))
}

/** The row of the counter stays locked until the commit, so that positions become visible in their order. */
async function nextPosition(db: Kysely<Tables>, host: string): Promise<number> {
  const { position } = await db
    .insertInto('approval_cursor')
    .values({ host, position: 1 })
    .onConflict((known) => known.column('host').doUpdateSet((row) => ({ position: row('approval_cursor.position', '+', 1) })))
    .returning('position')
    .executeTakeFirstOrThrow()
  return position
}

function mayEndAs(state: ApprovalState): boolean {
  return (approvalStates.pending as readonly string[]).includes(state)
}

function rowOf(host: string, { position, approval }: PositionedApproval): Selectable<ApprovalTable> {
  const { id, state, digest, asked, reason, cause, createdAt, expiresAt, resolution } = approval
  return {
    id,
    host,
    position,
    state,
    digest,
    asked: JSON.stringify(asked),
    hub: asked.hub,
    asker: asked.asker,
    reason,
    cause,
    created_at: createdAt,
    expires_at: expiresAt,
    spent_at: null,
    resolution: resolution && JSON.stringify(resolution),
    answer: null,
  }
}

function approvalOf(row: Selectable<ApprovalTable>): Approval {
  const resolution = row.resolution === null ? null : (JSON.parse(row.resolution) as Resolution)
  const note = noteOf(row.answer)
  return Approval.parse({
    id: row.id,
    state: row.state,
    digest: row.digest,
    asked: JSON.parse(row.asked),
    reason: row.reason,
    cause: row.cause,
    createdAt: row.created_at,
    expiresAt: row.expires_at,
    // A hub's copy: who has answered here what it came to.
    resolution: resolution && note?.outcome === row.state ? { ...resolution, by: note.by } : resolution,
  })
}

function noteOf(text: string | null): AnswerNote | null {
  return text === null ? null : (JSON.parse(text) as AnswerNote)
}
