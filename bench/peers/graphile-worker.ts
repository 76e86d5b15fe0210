// graphile-worker: jobs in PostgreSQL, claimed in SQL functions.

import { EventEmitter } from 'node:events'
import type { Postgres } from '../../test/resources/postgres.ts'
import type { Absent, JobQueue } from '../job-queue.ts'
import { loadPeer } from './load.ts'
import { postgresSettings } from './postgres.ts'

/** What is used of its API. */
interface GraphileWorker {
  readonly Logger: new (makeLog: () => () => void) => unknown
  makeWorkerUtils(options: object): Promise<WorkerUtils>
  run(options: object): Promise<{ stop(): Promise<void> }>
}
interface WorkerUtils {
  migrate(): Promise<void>
  addJob(task: string, payload: object): Promise<unknown>
  addJobs(jobs: readonly { identifier: string; payload: object }[]): Promise<unknown>
  release(): Promise<void>
}

const name = 'graphile-worker'
const jobsInACall = 1_000
const localQueueSize = 500
const concurrency = 24

export async function graphileWorker(postgres: Postgres): Promise<JobQueue | Absent> {
  const loaded = await loadPeer<GraphileWorker>(name)
  if (!loaded) return { name, reason: 'its package is not installed' }
  const { makeWorkerUtils, run, Logger } = loaded
  const connectionString = await postgres.create('graphile_worker')
  const logger = new Logger(() => () => undefined)
  const utils = await makeWorkerUtils({ connectionString, logger })
  await utils.migrate()
  return {
    name,
    settings:
      `${postgresSettings}; batched: addJobs of ${jobsInACall}, localQueue of ${localQueueSize}, ` +
      `${concurrency} workers, completeJobBatchDelay 0`,
    async enqueue(jobs, manner) {
      if (manner === 'one by one') for (let job = 0; job < jobs; job += 1) await utils.addJob('nothing', {})
      else
        for (let rest = jobs; rest > 0; rest -= jobsInACall)
          await utils.addJobs(Array.from({ length: Math.min(rest, jobsInACall) }, () => ({ identifier: 'nothing', payload: {} })))
    },
    async work(jobs, manner) {
      const events = new EventEmitter()
      const ended = Promise.withResolvers<number>()
      let startedAt = Number.NaN
      let completed = 0
      events.once('worker:getJob:start', () => {
        startedAt = performance.now()
      })
      // Told when the completion has been written.
      events.on('job:complete', () => {
        completed += 1
        if (completed === jobs) ended.resolve(performance.now())
      })
      const worker = manner === 'one by one' ? { concurrentJobs: 1 } : batching
      const runner = await run({
        preset: { worker: { connectionString, maxPoolSize: concurrency + 2, ...worker } },
        taskList: { nothing: async () => undefined },
        events,
        logger,
        noHandleSignals: true,
      })
      const endedAt = await ended.promise
      await runner.stop()
      return endedAt - startedAt
    },
    [Symbol.asyncDispose]: () => utils.release(),
  }
}

const batching = {
  concurrentJobs: concurrency,
  localQueue: { size: localQueueSize },
  completeJobBatchDelay: 0,
  failJobBatchDelay: 0,
}
