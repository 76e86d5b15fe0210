// Jobs as they stand: one, those that wait, and how many.

import { jobsOlderThan } from '../cursor.ts'
import { listOfTexts } from '../list-of-texts.ts'
import type { RunFilter } from '../runs.ts'
import type { Store } from '../store.ts'
import { type Job, type JobState, jobOf } from './job.ts'

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
