// A job's first step: it is in the queue, durably and once.

import type { Selectable } from 'kysely'
import { failure } from '../../contract/errors.ts'
import { preparedChange, type Values } from '../prepared.ts'
import type { JobTable } from '../schema.ts'
import type { Store } from '../store.ts'
import { type Job, jobOf, type NewJob } from './job.ts'

/**
 * Queues a job durably. The run id or key of one that is there answers that one, if the request is the same; else `run.conflict`.
 */
export function submitJob(store: Store, job: NewJob): Promise<{ job: Job; created: boolean }> {
  const row = newRow(job)
  return store.write(async (db) => {
    if ((await insertJob(db, row)) > 0) return { job: jobOf(row), created: true }
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

const insertJob = preparedChange((db, value: Values<JobTable>) =>
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
    .onConflict((conflict) => conflict.doNothing()),
)

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
