// Taking jobs from the queue: who claims one may start it for as long as the lease lasts.

import type { Kysely, Selectable } from 'kysely'
import { failure } from '../../contract/errors.ts'
import type { RunState } from '../../contract/run.ts'
import { prepared, type Values } from '../prepared.ts'
import type { JobTable, Tables } from '../schema.ts'
import type { Store } from '../store.ts'
import { type ClaimedJob, jobOf } from './job.ts'
import { leaseEnd } from './lease.ts'
import { moveJob } from './move.ts'

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
  /** What their runs are meanwhile. Still `queued` where the start only lays them ready for a host that is away. */
  readonly runState?: 'claimed' | 'queued'
  /** Told of each job that could not be read, once it has ended for that. */
  readonly onUnreadable?: (run: string) => void
}

const anyQueued = prepared((db) =>
  db.selectFrom('job').select('run').where('state', '=', 'queued').where('ended_at', 'is', null).limit(1),
)

function claimQueued(
  db: Kysely<Tables>,
  { owner, hosts, now, leaseMs, limit, runState = 'claimed' }: Claiming,
): Promise<Selectable<JobTable>[]> {
  const places = Math.max(hosts.length, Math.min(2 ** Math.ceil(Math.log2(hosts.length)), mostPlaces))
  const claim = claimsByPlaces.get(places) ?? prepareClaim(places)
  claimsByPlaces.set(places, claim)
  const padded = Array.from({ length: places }, (_, place) => [place, hosts[place] ?? hosts[0]])
  return claim(db, { owner, leaseUntil: leaseEnd(now, leaseMs), limit, runState, ...Object.fromEntries(padded) })
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
  return prepared(
    (db, value: Values<{ owner: string; leaseUntil: string; limit: number; runState: RunState; [place: number]: string }>) =>
      db
        .updateTable('job')
        .set((row) => ({
          state: 'claimed',
          run_state: value('runState'),
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
