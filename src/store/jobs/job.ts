// Jobs: run requests that wait at the hub for their host. Used by the hub's queue.
//
//     queued ─▶ claimed ─▶ started ─▶ ended
//        ▲         │                    ▲
//        └─────────┘ released, lapsed   └── from any state
//
// queued: nobody's; may wait until `expiresAt`. claimed: `owner` may start it until `leaseUntil`, and each claim has a higher
// `fence` than the one before. started: its host has it, and only the host can end it. ended: for good. A fenced write names
// owner and fence; `false` means that the claim is not yours any more, and nothing was changed.

import type { Selectable } from 'kysely'
import type { ErrorValue } from '../../contract/errors.ts'
import type { Run, RunSpec, RunState } from '../../contract/run.ts'
import type { JobTable } from '../schema.ts'

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

/** As it stands in the table. */
export function jobOf(row: Selectable<JobTable>): Job {
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
