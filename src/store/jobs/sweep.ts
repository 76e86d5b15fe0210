// What time does to jobs: claims lapse, and who has waited too long is given up.

import { failure } from '../../contract/errors.ts'
import type { Store } from '../store.ts'
import { type Job, jobOf } from './job.ts'
import { moveJob } from './move.ts'

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
