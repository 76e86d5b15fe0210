// What the owner of a claim may do with it: hold it longer, give it back, or note that the host has the run. All are fenced.

import type { ErrorValue } from '../../contract/errors.ts'
import type { JobTable } from '../schema.ts'
import type { Store } from '../store.ts'
import type { Claim } from './job.ts'
import { moveJob } from './move.ts'

/** Prolongs a lease. A claim whose lease has lapsed can be renewed as long as nobody has taken it back. */
export function renewClaim(store: Store, claim: Claim & { now: string; leaseMs: number }): Promise<boolean> {
  return fenced(store, claim, { lease_until: leaseEnd(claim.now, claim.leaseMs) })
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

/** ISO 8601, of the clock by which leases are compared. */
export function leaseEnd(now: string, leaseMs: number): string {
  return new Date(Date.parse(now) + leaseMs).toISOString()
}
