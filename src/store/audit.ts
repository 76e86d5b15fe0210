// The audit log's rows: appended in one numbering, each with a hash over the one before, and read back. Nothing here changes or
// removes one. Who appends is `audit-log.ts`.

import type { Selectable } from 'kysely'
import { AuditEntry, type listAudit, type NewAuditEntry, type verifyAudit } from '../contract/audit.ts'
import { describeIssue } from '../contract/implementation.ts'
import type { OutputOf, ParsedOf } from '../contract/operation.ts'
import { type ChainPlace, chainStart, checkChain, hashAfter, readPlace, showPlace } from './audit-chain.ts'
import { canonicalJson } from './canonical.ts'
import type { StoreReader, Urgency } from './engine.ts'
import { prepared, preparedChange, type Values } from './prepared.ts'
import type { AuditHeadTable, AuditTable } from './schema.ts'
import type { Store } from './store.ts'

export type DatedAuditEntry = NewAuditEntry & { readonly at: string }

/** Rows that are looked through at once: a search for what is rare must not hold up the process. */
const pageRows = 2_000

/** Appends these, in this order, durably. */
export async function appendAudit(store: Store, entries: readonly DatedAuditEntry[], urgency: Urgency = 'now'): Promise<void> {
  await store.write(async (db) => {
    // An update, also where nothing changes: it holds the row until the commit, so that no other writer follows the same entry.
    const [head] = await lockHead(db, {})
    let last: ChainPlace = head ?? chainStart
    for (const entry of entries) {
      const row = rowAfter(last, entry)
      await insertEntry(db, row)
      last = row
    }
    await moveHead(db, { n: last.n, hash: last.hash })
  }, urgency)
}

const lockHead = prepared((db) =>
  db
    .updateTable('audit_head')
    .set(({ ref }) => ({ n: ref('n') }))
    .where('id', '=', 1)
    .returning(['n', 'hash']),
)

const moveHead = preparedChange((db, value: Values<Pick<AuditHeadTable, 'n' | 'hash'>>) =>
  db
    .updateTable('audit_head')
    .set({ n: value('n'), hash: value('hash') })
    .where('id', '=', 1),
)

const insertEntry = preparedChange((db, value: Values<AuditTable>) =>
  db.insertInto('audit').values({
    n: value('n'),
    at: value('at'),
    actor_kind: value('actor_kind'),
    actor_id: value('actor_id'),
    actor_role: value('actor_role'),
    actor_name: value('actor_name'),
    action: value('action'),
    host: value('host'),
    subject: value('subject'),
    decision: value('decision'),
    why: value('why'),
    digest: value('digest'),
    detail: value('detail'),
    hash: value('hash'),
  }),
)

function rowAfter(last: ChainPlace, { actor, at, action, decision, ...rest }: DatedAuditEntry): AuditTable {
  const { host = null, subject = null, why = null, digest = null, detail = null } = rest
  const { kind, id, role, name = null } = actor
  const n = last.n + 1
  // In the order of canonical JSON, but for the detail: looking after each took a tenth of what an invocation takes.
  const entry = { action, actor: { id, kind, name, role }, at, decision, detail, digest, host, n, subject, why }
  const text = detail === null ? JSON.stringify(entry) : canonicalJson(entry)
  return {
    n,
    at,
    actor_kind: kind,
    actor_id: id,
    actor_role: role,
    actor_name: name,
    action,
    host,
    subject,
    decision,
    why,
    digest,
    detail: detail && canonicalJson(detail),
    hash: hashAfter(last.hash, text),
  }
}

/** Newest first. */
export async function findAudit(store: StoreReader, wanted: ParsedOf<typeof listAudit>): Promise<OutputOf<typeof listAudit>> {
  const entries: AuditEntry[] = []
  let below = wanted.before ?? (await headOf(store)).n + 1
  while (below > 1 && entries.length <= wanted.limit) {
    const from = Math.max(1, below - pageRows)
    const rows = await select(store, wanted)
      .where('n', '<', below)
      .where('n', '>=', from)
      .orderBy('n', 'desc')
      .limit(wanted.limit + 1 - entries.length)
      .execute()
    // One that is no entry any more is for `audit.verify` to name.
    entries.push(...rows.flatMap((row) => AuditEntry.safeParse(asWritten(row)).data ?? []))
    below = from
    await othersTurn()
  }
  const more = entries.length > wanted.limit
  const page = entries.slice(0, wanted.limit)
  return { entries: page, next: more ? (page.at(-1)?.n ?? null) : null }
}

function select({ db }: StoreReader, { actor, action, host, decision, since, until }: ParsedOf<typeof listAudit>) {
  let query = db.selectFrom('audit').selectAll()
  if (actor !== undefined) query = query.where(({ eb, or }) => or([eb('actor_id', '=', actor), eb('actor_name', '=', actor)]))
  if (action?.endsWith('*')) {
    const prefix = action.slice(0, -1)
    query = query.where('action', '>=', prefix).where('action', '<', `${prefix}\u{10ffff}`)
  } else if (action !== undefined) query = query.where('action', '=', action)
  if (host !== undefined) query = query.where('host', '=', host)
  if (decision !== undefined) query = query.where('decision', '=', decision)
  if (since !== undefined) query = query.where('at', '>=', since)
  if (until !== undefined) query = query.where('at', '<', until)
  return query
}

interface Damaged {
  /** What stands there. */
  readonly written: unknown
  readonly problem: string
}

/** Every entry after `after`, oldest first, a page at a time; what is no entry comes as the sentence that says why. */
export async function* readAudit({ db }: StoreReader, after = 0): AsyncGenerator<{ entry: AuditEntry } | Damaged> {
  let last = after
  for (;;) {
    const rows = await db.selectFrom('audit').selectAll().where('n', '>', last).orderBy('n').limit(pageRows).execute()
    for (const row of rows) yield entryOf(row)
    const newest = rows.at(-1)
    if (!newest) return
    last = newest.n
    await othersTurn()
  }
}

/** Between two pages. */
function othersTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

/** Computes the chain again. `noted`: a head that was kept elsewhere. */
export async function checkAudit(store: StoreReader, noted?: string): Promise<OutputOf<typeof verifyAudit>> {
  // The store's own note shows a cut by somebody who did not think of it; against one who did, a note that is kept elsewhere helps.
  const told = await headOf(store)
  const chain = checkChain({ noted: [told, ...(noted === undefined ? [] : [readPlace(noted)])] })
  for await (const one of readAudit(store)) {
    if ('entry' in one) chain.take(one.entry)
    else chain.refuse(one.problem)
  }
  const { entries, firstBad, head } = chain.end()
  const now = await headOf(store)
  const fault =
    firstBad ??
    (head.n > now.n ? { n: now.n + 1, why: `it was appended by something else: the log ended at entry ${now.n}` } : null)
  return { entries, ok: fault === null, firstBad: fault, head: head.n === 0 ? null : showPlace(head) }
}

async function headOf({ db }: StoreReader): Promise<ChainPlace> {
  return (await db.selectFrom('audit_head').select(['n', 'hash']).where('id', '=', 1).executeTakeFirst()) ?? chainStart
}

function entryOf(row: Selectable<AuditTable>): { entry: AuditEntry } | Damaged {
  const written = asWritten(row)
  const parsed = AuditEntry.safeParse(written)
  if (!parsed.success) return { written, problem: `it is no entry: ${parsed.error.issues.map(describeIssue).join('; ')}` }
  // The hash covers the value: the text must be the one way in which it is written.
  if (row.detail !== null && row.detail !== canonicalJson(parsed.data.detail)) {
    return { written, problem: 'its detail is not as it was written' }
  }
  return { entry: parsed.data }
}

function asWritten(row: Selectable<AuditTable>): unknown {
  const { actor_kind: kind, actor_id: id, actor_role: role, actor_name: name, detail, ...rest } = row
  return { ...rest, actor: { kind, id, role, name }, detail: parseDetail(detail) }
}

function parseDetail(text: string | null): unknown {
  if (text === null) return null
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
