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
import { type Run, RunSpec, type RunState } from '../contract/run.ts'
import { jobsOlderThan } from './cursor.ts'
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
  readonly spec: RunSpec
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
  readonly error: ErrorValue | null
}

export type NewJob = Pick<
  Job,
  'run' | 'host' | 'key' | 'fingerprint' | 'spec' | 'parent' | 'title' | 'queue' | 'expiresAt' | 'createdAt'
>

export interface Claim {
  readonly run: string
  readonly owner: string
  readonly fence: number
}

/**
 * Queues a job durably. The run id or key of one that is there answers that one, if the request is the same; else `run.conflict`.
 */
export function submitJob(store: Store, job: NewJob): Promise<{ job: Job; created: boolean }> {
  return store.write(async (db) => {
    const inserted = await db
      .insertInto('job')
      .values({
        run: job.run,
        host: job.host,
        key: job.key,
        fingerprint: job.fingerprint,
        spec: JSON.stringify(job.spec),
        kind: job.spec.kind,
        parent: job.parent && JSON.stringify(job.parent),
        parent_run: job.parent?.run ?? null,
        title: job.title,
        queue: job.queue ? 1 : 0,
        state: 'queued',
        run_state: 'queued',
        fence: 0,
        owner: null,
        lease_until: null,
        expires_at: job.expiresAt,
        created_at: job.createdAt,
        started_at: null,
        ended_at: null,
        error: null,
      })
      .onConflict((conflict) => conflict.doNothing())
      .returningAll()
      .executeTakeFirst()
    if (inserted) return { job: jobOf(inserted), created: true }
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

/** Claims the oldest queued jobs of these hosts. Each comes with its new fence. */
export async function claimNext(
  store: Store,
  claim: { owner: string; hosts: readonly string[]; now: string; leaseMs: number; limit: number },
): Promise<Job[]> {
  // A look first: an idle hub asks each second and should not write for it.
  if ((await queuedJobs(store.db, claim.hosts, 1)).length === 0) return []
  return store.write(async (db) => {
    const claimed: Job[] = []
    for (const { run, fence } of await queuedJobs(db, claim.hosts, claim.limit)) {
      const row = await moveJob(
        db,
        { run, from: ['queued'], fence },
        {
          state: 'claimed',
          run_state: 'claimed',
          fence: fence + 1,
          owner: claim.owner,
          lease_until: later(claim.now, claim.leaseMs),
        },
      )
      if (row) claimed.push(jobOf(row))
    }
    return claimed
  })
}

function queuedJobs(db: Kysely<Tables>, hosts: readonly string[], limit: number) {
  if (hosts.length === 0) return Promise.resolve([])
  return db
    .selectFrom('job')
    .select(['run', 'fence'])
    .where('state', '=', 'queued')
    .where('host', 'in', [...hosts])
    .orderBy('created_at')
    .orderBy('run')
    .limit(limit)
    .execute()
}

/** Prolongs a lease. A claim whose lease has lapsed can be renewed as long as nobody has taken it back. */
export function renewClaim(store: Store, claim: Claim & { now: string; leaseMs: number }): Promise<boolean> {
  return fenced(store, claim, { lease_until: later(claim.now, claim.leaseMs) })
}

/** Puts a claimed job back in the queue. */
export function releaseClaim(store: Store, claim: Claim): Promise<boolean> {
  return fenced(store, claim, { state: 'queued', run_state: 'queued', owner: null, lease_until: null })
}

/** The host has the run. */
export function markStarted(store: Store, claim: Claim): Promise<boolean> {
  return fenced(store, claim, {
    state: 'started',
    run_state: 'starting',
    owner: null,
    lease_until: null,
    started_at: new Date().toISOString(),
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
  return store.write(async (db) => {
    const from: readonly JobState[] = end.claim ? ['claimed'] : end.onlyIf ? [end.onlyIf] : ['queued', 'claimed', 'started']
    const row = await moveJob(
      db,
      { run: end.run, from, ...end.claim },
      {
        state: 'ended',
        run_state: end.runState,
        owner: null,
        lease_until: null,
        ended_at: endedAt,
        error: end.error ? JSON.stringify(end.error) : null,
      },
    )
    if (row && end.byHost && row.started_at === null) {
      await db.updateTable('job').set({ started_at: endedAt }).where('run', '=', end.run).execute()
    }
    return row !== undefined
  })
}

/** Takes back lapsed claims and ends jobs that have waited too long. */
export async function sweepJobs(store: Store, now: string): Promise<{ requeued: Job[]; expired: Job[] }> {
  const due = await store.db
    .selectFrom('job')
    .select(['run', 'state', 'host', 'fence', 'owner'])
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
          : await moveJob(db, { run, from: ['queued'], fence }, { state: 'ended', run_state: 'failed', ended_at: now, error })
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

export async function unfinishedJobs({ db }: Store): Promise<Job[]> {
  return (await db.selectFrom('job').selectAll().where('state', '<>', 'ended').orderBy('created_at').execute()).map(jobOf)
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
    .where('host', 'in', [...hosts])
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
    .where('state', '<>', 'ended')
    .groupBy('state')
    .execute()
  return rows.map(({ state, count }) => ({ state: state as JobState, count: Number(count) }))
}

function jobOf(row: Selectable<JobTable>): Job {
  return {
    run: row.run,
    host: row.host,
    key: row.key,
    fingerprint: row.fingerprint,
    spec: RunSpec.parse(JSON.parse(row.spec)),
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
