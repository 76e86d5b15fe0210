// pg-boss: jobs in PostgreSQL, fetched with `skip locked`.

import type { Postgres } from '../../test/resources/postgres.ts'
import type { Absent, JobQueue } from '../job-queue.ts'
import { loadPeer } from './load.ts'
import { postgresSettings } from './postgres.ts'

/** What is used of its API. */
interface PgBossModule {
  readonly PgBoss: new (options: object) => PgBoss
}
interface PgBoss {
  on(event: 'error', listener: (error: Error) => void): void
  start(): Promise<unknown>
  stop(options: object): Promise<void>
  createQueue(name: string): Promise<void>
  send(queue: string, data: object): Promise<unknown>
  insert(queue: string, jobs: readonly object[]): Promise<unknown>
  fetch(queue: string, options: { batchSize: number }): Promise<{ id: string }[]>
  complete(queue: string, ids: string | string[]): Promise<unknown>
}

const name = 'pg-boss'
const queue = 'nothing'
const jobsInACall = 1_000
const workers = 4

export async function pgBoss(postgres: Postgres): Promise<JobQueue | Absent> {
  const loaded = await loadPeer<PgBossModule>(name)
  if (!loaded) return { name, reason: 'its package is not installed' }
  const boss = new loaded.PgBoss({ connectionString: await postgres.create('pg_boss'), supervise: false, schedule: false })
  boss.on('error', (error) => {
    throw error
  })
  await boss.start()
  await boss.createQueue(queue)
  return {
    name,
    settings:
      `${postgresSettings}; batched: insert of ${jobsInACall}, ${workers} workers that fetch ${jobsInACall} ` +
      'and complete them in one call',
    async enqueue(jobs, manner) {
      if (manner === 'one by one') for (let job = 0; job < jobs; job += 1) await boss.send(queue, {})
      else
        for (let rest = jobs; rest > 0; rest -= jobsInACall)
          await boss.insert(
            queue,
            Array.from({ length: Math.min(rest, jobsInACall) }, () => ({ data: {} })),
          )
    },
    async work(jobs, manner) {
      const batchSize = manner === 'one by one' ? 1 : jobsInACall
      let completed = 0
      const workOff = async () => {
        for (;;) {
          const fetched = await boss.fetch(queue, { batchSize })
          if (fetched.length === 0) return
          await boss.complete(
            queue,
            fetched.map(({ id }) => id),
          )
          completed += fetched.length
        }
      }
      const startedAt = performance.now()
      await Promise.all(Array.from({ length: manner === 'one by one' ? 1 : workers }, workOff))
      if (completed !== jobs) throw new Error(`${name} completed ${completed} of ${jobs} jobs`)
      return performance.now() - startedAt
    },
    [Symbol.asyncDispose]: () => boss.stop({ graceful: false }),
  }
}
