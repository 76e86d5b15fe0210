// Our queue as the hub uses it (src/store/jobs/), on either engine, without hosts: a claimed job is ended at once.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { RunSpec } from '../src/contract/run.ts'
import { claimNext } from '../src/store/jobs/claim.ts'
import { endJob } from '../src/store/jobs/end.ts'
import type { Job, NewJob } from '../src/store/jobs/job.ts'
import { submitJob } from '../src/store/jobs/submit.ts'
import { openStore, type StoreLocation } from '../src/store/store.ts'
import type { Postgres } from '../test/resources/postgres.ts'
import type { JobQueue } from './job-queue.ts'
import { postgresSettings } from './peers/postgres.ts'

const host = 'bench'
const owner = 'bench'
const jobsAtOnce = 1_000

export async function musterOnSqlite(): Promise<JobQueue> {
  const dir = await mkdtemp(join(tmpdir(), 'muster-bench-'))
  const queue = await openQueue('Muster, embedded store', 'SQLite, WAL, synchronous = full', { file: join(dir, 'hub.db') })
  return {
    ...queue,
    async [Symbol.asyncDispose]() {
      await queue[Symbol.asyncDispose]()
      await rm(dir, { recursive: true, force: true })
    },
  }
}

export async function musterOnPostgres(postgres: Postgres): Promise<JobQueue> {
  return openQueue('Muster, PostgreSQL', postgresSettings, { url: await postgres.create('muster') })
}

/** A job of nothing to do, submitted now. */
export function emptyJob(run: string, host: string): NewJob {
  const now = Date.now()
  return {
    run,
    host,
    key: null,
    fingerprint: run,
    spec: RunSpec.parse({ kind: 'command', argv: ['true'] }),
    parent: null,
    title: 'true',
    queue: true,
    createdAt: new Date(now).toISOString(),
    expiresAt: new Date(now + 3_600_000).toISOString(),
  }
}

async function openQueue(name: string, durability: string, where: StoreLocation): Promise<JobQueue> {
  const store = await openStore(where)
  let submitted = 0

  async function submit(): Promise<void> {
    submitted += 1
    await submitJob(store, emptyJob(`run_${String(submitted).padStart(12, '0')}`, host))
  }

  const claim = (limit: number) =>
    claimNext(store, { owner, hosts: [host], now: new Date().toISOString(), leaseMs: 30_000, limit })

  async function end({ run, fence }: Job): Promise<number> {
    return (await endJob(store, { run, runState: 'succeeded', claim: { owner, fence } })) ? 1 : 0
  }

  return {
    name,
    isOurs: true,
    settings: `${durability}; batched: ${jobsAtOnce} submitted at once, claims of ${jobsAtOnce}`,
    async enqueue(jobs, manner) {
      const atOnce = manner === 'one by one' ? 1 : jobsAtOnce
      for (let rest = jobs; rest > 0; rest -= atOnce) await Promise.all(Array.from({ length: Math.min(rest, atOnce) }, submit))
    },
    async work(jobs, manner) {
      const startedAt = performance.now()
      // As the hub does, the next are claimed while the last are being ended.
      let ending = Promise.resolve(0)
      let ended = 0
      for (;;) {
        const claimed = await claim(manner === 'one by one' ? 1 : jobsAtOnce)
        ended += await ending
        if (claimed.length === 0) break
        ending = Promise.all(claimed.map(end)).then((each) => each.reduce((sum, one) => sum + one, 0))
        if (manner === 'one by one') await ending
      }
      if (ended !== jobs) throw new Error(`${name} ended ${ended} of ${jobs} jobs`)
      return performance.now() - startedAt
    },
    [Symbol.asyncDispose]: () => store.close(),
  }
}
