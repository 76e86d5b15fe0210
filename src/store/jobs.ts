// Jobs: run requests that wait at the hub for their host. Used by the hub's queue.
//
//     queued ─▶ claimed ─▶ started ─▶ ended
//        ▲         │                    ▲
//        └─────────┘ released, lapsed   └── from any state
//
// queued: nobody's; may wait until `expiresAt`. claimed: `owner` may start it until `leaseUntil`, and each claim has a higher
// `fence` than the one before. started: its host has it, and only the host can end it. ended: for good. A fenced write names
// owner and fence; `false` means that the claim is not yours any more, and nothing was changed.

import type { Kysely, Selectable } from 'kysely'
import { type ErrorValue, failure } from '../contract/errors.ts'
import type { Run, RunSpec, RunState } from '../contract/run.ts'
import { jobsOlderThan } from './cursor.ts'
import { listOfTexts } from './list-of-texts.ts'
import { prepared, type Values } from './prepared.ts'
import type { RunFilter } from './runs.ts'
import type { JobTable, Tables } from './schema.ts'
import type { Store } from './store.ts'

export type JobState = 'queued' | 'claimed' | 'started' | 'ended'

export interface Job {
  readonly run: string
  /** The host's id. */
  readonly host: string
  readonly key: string | null
  readonly fingerprint: string
  readonly kind: Run['kind']
  readonly parent: Run['parent']
  readonly title: string
  readonly state: JobState
  readonly fence: number
  readonly owner: string | null
  readonly leaseUntil: string | null
  readonly queue: boolean
  readonly expiresAt: string
  readonly createdAt: string
  /** When its host had it; null if it never had. */
  readonly startedAt: string | null
  readonly endedAt: string | null
  readonly runState: RunState
  /** Why it ended as it did; while it waits, why its last start did not come about. */
  readonly error: ErrorValue | null
}

export interface NewJob
  extends Pick<Job, 'run' | 'host' | 'key' | 'fingerprint' | 'parent' | 'title' | 'queue' | 'expiresAt' | 'createdAt'> {
  readonly spec: RunSpec
}

/** Only who starts a job needs to know what is to run. */
export interface ClaimedJob extends Job {
  readonly spec: RunSpec
}

export interface Claim {
  readonly run: string
  readonly owner: string
  readonly fence: number
}

/**
 * Queues a job durably. The run id or key of one that is there answers that one, if the request is the same; else `run.conflict`.
 */
export function submitJob(store: Store, job: NewJob): Promise<{ job: Job; created: boolean }> {
  const row = newRow(job)
  return store.write(async (db) => {
    const inserted = await insertJob(db, row)
    if (inserted.length > 0) return { job: jobOf(row), created: true }
    const there = await db
      .selectFrom('job')
      .selectAll()
      .where(({ eb, or }) => or([eb('run', '=', job.run), ...(job.key === null ? [] : [eb('key', '=', job.key)])]))
      .execute()
    const same = there.find(({ fingerprint }) => fingerprint === job.fingerprint)
    if (!same || there.length > 1) throw failure('run.conflict', { run: job.run })
    return { job: jobOf(same), created: false }
  })
}

const insertJob = prepared((db, value: Values<JobTable>) =>
  db
    .insertInto('job')
    .values({
      run: value('run'),
      host: value('host'),
      key: value('key'),
      fingerprint: value('fingerprint'),
      spec: value('spec'),
      kind: value('kind'),
      parent: value('parent'),
      parent_run: value('parent_run'),
      title: value('title'),
      state: value('state'),
      run_state: value('run_state'),
      fence: value('fence'),
      owner: value('owner'),
      lease_until: value('lease_until'),
      queue: value('queue'),
      created_at: value('created_at'),
      expires_at: value('expires_at'),
      started_at: value('started_at'),
      ended_at: value('ended_at'),
      error: value('error'),
    })
    .onConflict((conflict) => conflict.doNothing())
    .returning('run'),
)

/** Claims the oldest queued jobs of these hosts, in their order. Each comes with its new fence. */
export async function claimNext(store: Store, claim: Claiming): Promise<ClaimedJob[]> {
  // A look first: an idle hub asks each second and should not write for it.
  if (claim.hosts.length === 0 || (await anyQueued(store.db, {})).length === 0) return []
  const { claimed, unreadable } = await store.write(async (db) => {
    const taken = { claimed: [] as ClaimedJob[], unreadable: [] as string[] }
    for (const row of (await claimQueued(db, claim)).sort(oldestFirst)) {
      try {
        taken.claimed.push({ ...jobOf(row), spec: JSON.parse(row.spec) })
      } catch (problem) {
        await endUnreadable(db, row, (problem as Error).message)
        taken.unreadable.push(row.run)
      }
    }
    return taken
  })
  for (const run of unreadable) claim.onUnreadable?.(run)
  return claimed
}

export interface Claiming {
  readonly owner: string
  readonly hosts: readonly string[]
  readonly now: string
  readonly leaseMs: number
  readonly limit: number
  /** Told of each job that could not be read, once it has ended for that. */
  readonly onUnreadable?: (run: string) => void
}

const anyQueued = prepared((db) =>
  db.selectFrom('job').select('run').where('state', '=', 'queued').where('ended_at', 'is', null).limit(1),
)

function claimQueued(db: Kysely<Tables>, { owner, hosts, now, leaseMs, limit }: Claiming): Promise<Selectable<JobTable>[]> {
  const places = Math.max(hosts.length, Math.min(2 ** Math.ceil(Math.log2(hosts.length)), mostPlaces))
  const claim = claimsByPlaces.get(places) ?? prepareClaim(places)
  claimsByPlaces.set(places, claim)
  const padded = Array.from({ length: places }, (_, place) => [place, hosts[place] ?? hosts[0]])
  return claim(db, { owner, leaseUntil: later(now, leaseMs), limit, ...Object.fromEntries(padded) })
}

/** SQLite takes 32,766 values in a query. */
const mostPlaces = 32_000

/** By how many hosts it takes. Lists are filled up to a power of two, so that there are few different queries. */
const claimsByPlaces = new Map<number, ReturnType<typeof prepareClaim>>()

/**
 * `state` is asked again beside the list: of two that claim at once on PostgreSQL, the later one sees there what the first has
 * taken.
 */
function prepareClaim(places: number) {
  return prepared((db, value: Values<{ owner: string; leaseUntil: string; limit: number; [place: number]: string }>) =>
    db
      .updateTable('job')
      .set((row) => ({
        state: 'claimed',
        run_state: 'claimed',
        fence: row('fence', '+', 1),
        owner: value('owner'),
        lease_until: value('leaseUntil'),
      }))
      .where(
        'run',
        'in',
        db
          .selectFrom('job')
          .select('run')
          .where('state', '=', 'queued')
          .where('ended_at', 'is', null)
          .where(
            'host',
            'in',
            Array.from({ length: places }, (_, place) => value(place)),
          )
          .orderBy('created_at')
          .orderBy('run')
          .limit(value('limit')),
      )
      .where('state', '=', 'queued')
      .returningAll(),
  )
}

function oldestFirst(a: Selectable<JobTable>, b: Selectable<JobTable>): number {
  if (a.created_at !== b.created_at) return a.created_at < b.created_at ? -1 : 1
  return a.run < b.run ? -1 : 1
}

/** A row that something else has damaged must not keep the others from being claimed. */
async function endUnreadable(db: Kysely<Tables>, { run, fence }: Selectable<JobTable>, problem: string): Promise<void> {
  const error = failure('run.unreadable', { run, problem }).toValue()
  const change = { state: 'ended', run_state: 'failed', owner: null, lease_until: null, ended_at: new Date().toISOString() }
  await moveJob(db, { run, from: ['claimed'], fence }, { ...change, error: JSON.stringify(error), parent: null })
}

/** Prolongs a lease. A claim whose lease has lapsed can be renewed as long as nobody has taken it back. */
export function renewClaim(store: Store, claim: Claim & { now: string; leaseMs: number }): Promise<boolean> {
  return fenced(store, claim, { lease_until: later(claim.now, claim.leaseMs) })
}

/** Puts a claimed job back in the queue, with why it has not begun, if there is a reason to tell. */
export function releaseClaim(store: Store, claim: Claim, why: ErrorValue | null = null): Promise<boolean> {
  const error = why && JSON.stringify(why)
  return fenced(store, claim, { state: 'queued', run_state: 'queued', owner: null, lease_until: null, error })
}

/** The host has the run. */
export function markStarted(store: Store, claim: Claim): Promise<boolean> {
  return fenced(store, claim, {
    state: 'started',
    run_state: 'starting',
    owner: null,
    lease_until: null,
    started_at: new Date().toISOString(),
    error: null,
  })
}

async function fenced(store: Store, { run, owner, fence }: Claim, change: Partial<JobTable>): Promise<boolean> {
  return store.write(async (db) => (await moveJob(db, { run, from: ['claimed'], owner, fence }, change)) !== undefined)
}

/**
 * Ends a job. `byHost`: its host says so, so it had the run even if that was not noted. `onlyIf`: only from that state.
 * `claim`: only while that claim holds, for whoever tried to start it.
 * `false`: it had ended before, was in another state, or the claim is not yours any more; nothing was changed.
 */
export function endJob(
  store: Store,
  end: {
    run: string
    runState: RunState
    error?: ErrorValue | null
    byHost?: boolean
    onlyIf?: JobState
    claim?: Omit<Claim, 'run'>
  },
): Promise<boolean> {
  const endedAt = new Date().toISOString()
  const change = {
    run: end.run,
    run_state: end.runState,
    ended_at: endedAt,
    started_at: end.byHost ? endedAt : null,
    error: end.error ? JSON.stringify(end.error) : null,
  }
  return store.write(async (db) => {
    const ended = end.claim
      ? await endClaimed(db, { ...change, ...end.claim })
      : end.onlyIf
        ? await endFrom(db, { ...change, from: end.onlyIf })
        : await endUnfinished(db, change)
    return ended.length > 0
  })
}

type End = Pick<JobTable, 'run' | 'run_state' | 'ended_at' | 'started_at' | 'error'>

const endUnfinished = prepared((db, value: Values<End>) => ending(db, value))

const endFrom = prepared((db, value: Values<End & { from: JobState }>) => ending(db, value).where('state', '=', value('from')))

const endClaimed = prepared((db, value: Values<End & Omit<Claim, 'run'>>) =>
  ending(db, value).where('state', '=', 'claimed').where('owner', '=', value('owner')).where('fence', '=', value('fence')),
)

/** When it started is kept if it is known. */
function ending(db: Kysely<Tables>, value: Values<End>) {
  return db
    .updateTable('job')
    .set(({ fn, val }) => ({
      state: 'ended',
      run_state: value('run_state'),
      owner: null,
      lease_until: null,
      ended_at: value('ended_at'),
      started_at: fn.coalesce('started_at', val(value('started_at'))),
      error: value('error'),
    }))
    .where('run', '=', value('run'))
    .where('ended_at', 'is', null)
    .returning('run')
}

/**
 * Takes back lapsed claims and ends jobs that have waited too long: by the clock of the leases, which need not be the one that
 * people see.
 */
export async function sweepJobs(store: Store, now: string, endedAt = now): Promise<{ requeued: Job[]; expired: Job[] }> {
  const due = await store.db
    .selectFrom('job')
    .select(['run', 'state', 'host', 'fence', 'owner'])
    .where('ended_at', 'is', null)
    .where(({ eb, or, and }) =>
      or([
        and([eb('state', '=', 'claimed'), eb('lease_until', '<', now)]),
        and([eb('state', '=', 'queued'), eb('expires_at', '<', now)]),
      ]),
    )
    .execute()
  if (due.length === 0) return { requeued: [], expired: [] }
  return store.write(async (db) => {
    const requeued: Job[] = []
    const expired: Job[] = []
    for (const { run, state, host, fence } of due) {
      const error = JSON.stringify(failure('run.expired', { run, host }).toValue())
      const row =
        state === 'claimed'
          ? await moveJob(
              db,
              { run, from: ['claimed'], fence, lapsedBy: now },
              { state: 'queued', run_state: 'queued', owner: null, lease_until: null },
            )
          : await moveJob(db, { run, from: ['queued'], fence }, { state: 'ended', run_state: 'failed', ended_at: endedAt, error })
      if (row) (state === 'claimed' ? requeued : expired).push(jobOf(row))
    }
    return { requeued, expired }
  })
}

/** The one setter: moves a job on if it still is what the caller saw. Undefined: it is not, and nothing was changed. */
function moveJob(
  db: Kysely<Tables>,
  seen: { run: string; from: readonly JobState[]; owner?: string; fence?: number; lapsedBy?: string },
  change: Partial<JobTable>,
): Promise<Selectable<JobTable> | undefined> {
  let update = db
    .updateTable('job')
    .set(change)
    .where('run', '=', seen.run)
    .where('state', 'in', [...seen.from])
  if (seen.owner !== undefined) update = update.where('owner', '=', seen.owner)
  if (seen.fence !== undefined) update = update.where('fence', '=', seen.fence)
  if (seen.lapsedBy !== undefined) update = update.where('lease_until', '<', seen.lapsedBy)
  return update.returningAll().executeTakeFirst()
}

export async function getJob({ db }: Store, run: string): Promise<Job | undefined> {
  const row = await db.selectFrom('job').selectAll().where('run', '=', run).executeTakeFirst()
  return row && jobOf(row)
}

export async function findJobByKey({ db }: Store, key: string): Promise<Job | undefined> {
  const row = await db.selectFrom('job').selectAll().where('key', '=', key).executeTakeFirst()
  return row && jobOf(row)
}

export async function unfinishedJobs({ db }: Store): Promise<Pick<Job, 'run' | 'host' | 'state' | 'fence' | 'owner'>[]> {
  const rows = await db
    .selectFrom('job')
    .select(['run', 'host', 'state', 'fence', 'owner'])
    .where('ended_at', 'is', null)
    .orderBy('created_at')
    .execute()
  return rows.map((row) => ({ ...row, state: row.state as JobState }))
}

/** Jobs that no host knows: waiting ones, and those that ended in the queue. Newest first, as runs are listed. */
export async function listWaitingJobs(
  { db }: Store,
  { hosts, states, kind, parent, before, limit }: Omit<RunFilter, 'host'> & { readonly hosts: readonly string[] },
): Promise<Job[]> {
  if (hosts.length === 0) return []
  let query = db
    .selectFrom('job')
    .selectAll()
    .where('host', 'in', listOfTexts(db, hosts))
    .where('started_at', 'is', null)
    .orderBy('created_at', 'desc')
    .orderBy('run', 'desc')
    .limit(limit)
  // Never an empty list, which PostgreSQL does not take; no job has the state ''.
  if (states !== undefined) query = query.where('run_state', 'in', [...states, ''])
  if (kind !== undefined) query = query.where('kind', '=', kind)
  if (parent !== undefined) query = query.where('parent_run', '=', parent)
  if (before !== undefined) query = query.where(jobsOlderThan(before))
  return (await query.execute()).map(jobOf)
}

/** How many jobs there are in each state but `ended`. */
export async function countJobs({ db }: Store): Promise<{ state: JobState; count: number }[]> {
  const rows = await db
    .selectFrom('job')
    .select(({ fn }) => ['state', fn.countAll<number>().as('count')])
    .where('ended_at', 'is', null)
    .groupBy('state')
    .execute()
  return rows.map(({ state, count }) => ({ state: state as JobState, count: Number(count) }))
}

function newRow(job: NewJob): Selectable<JobTable> {
  return {
    run: job.run,
    host: job.host,
    key: job.key,
    fingerprint: job.fingerprint,
    spec: JSON.stringify(job.spec),
    kind: job.spec.kind,
    parent: job.parent && JSON.stringify(job.parent),
    parent_run: job.parent?.run ?? null,
    title: job.title,
    state: 'queued',
    run_state: 'queued',
    fence: 0,
    owner: null,
    lease_until: null,
    queue: job.queue ? 1 : 0,
    created_at: job.createdAt,
    expires_at: job.expiresAt,
    started_at: null,
    ended_at: null,
    error: null,
  }
}

function jobOf(row: Selectable<JobTable>): Job {
  return {
    run: row.run,
    host: row.host,
    key: row.key,
    fingerprint: row.fingerprint,
    kind: row.kind as Run['kind'],
    parent: row.parent === null ? null : JSON.parse(row.parent),
    title: row.title,
    state: row.state as JobState,
    fence: row.fence,
    owner: row.owner,
    leaseUntil: row.lease_until,
    queue: row.queue === 1,
    expiresAt: row.expires_at,
    createdAt: row.created_at,
    startedAt: row.started_at,
    endedAt: row.ended_at,
    runState: row.run_state as RunState,
    error: row.error === null ? null : JSON.parse(row.error),
  }
}

function later(time: string, ms: number): string {
  return new Date(Date.parse(time) + ms).toISOString()
}
