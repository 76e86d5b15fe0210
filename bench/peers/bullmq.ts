// BullMQ: jobs in Redis, moved by scripts; durable only when Redis flushes its log before it answers.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from '../../test/resources/free-port.ts'
import type { Absent, JobQueue } from '../job-queue.ts'
import { findProgram } from './installed.ts'
import { loadPeer } from './load.ts'

/** What is used of its API. */
interface BullMq {
  readonly Queue: new (name: string, options: object) => Queue
  readonly Worker: new (name: string, work: () => Promise<void>, options: object) => Worker
}
interface Queue {
  waitUntilReady(): Promise<unknown>
  add(name: string, data: object): Promise<unknown>
  addBulk(jobs: readonly { name: string; data: object }[]): Promise<unknown>
  close(): Promise<void>
}
interface Worker {
  waitUntilReady(): Promise<unknown>
  run(): Promise<void>
  on(event: 'completed', listener: () => void): void
  on(event: 'error', listener: (error: Error) => void): void
  close(): Promise<void>
}

const name = 'BullMQ'
const queueName = 'nothing'
const jobsInACall = 1_000
const concurrency = 256

export async function bullMq(): Promise<JobQueue | Absent> {
  const loaded = await loadPeer<BullMq>('bullmq')
  if (!loaded) return { name, reason: 'its package is not installed' }
  const program = await findProgram('redis-server')
  if (program === undefined) return { name, reason: 'redis-server is not installed' }
  await using opened = new AsyncDisposableStack()
  const { port } = opened.use(await startRedis(program))
  const connection = { host: '127.0.0.1', port, maxRetriesPerRequest: null }
  const queue = opened.adopt(new loaded.Queue(queueName, { connection }), (one) => one.close())
  await queue.waitUntilReady()
  const parts = opened.move()
  return {
    name,
    settings: `Redis, appendonly yes, appendfsync always; batched: addBulk of ${jobsInACall}, a worker with concurrency ${concurrency}`,
    async enqueue(jobs, manner) {
      if (manner === 'one by one') for (let job = 0; job < jobs; job += 1) await queue.add('nothing', {})
      else
        for (let rest = jobs; rest > 0; rest -= jobsInACall)
          await queue.addBulk(Array.from({ length: Math.min(rest, jobsInACall) }, () => ({ name: 'nothing', data: {} })))
    },
    async work(jobs, manner) {
      const ended = Promise.withResolvers<void>()
      let completed = 0
      const worker = new loaded.Worker(queueName, async () => undefined, {
        connection,
        autorun: false,
        concurrency: manner === 'one by one' ? 1 : concurrency,
      })
      worker.on('error', ended.reject)
      worker.on('completed', () => {
        completed += 1
        if (completed === jobs) ended.resolve()
      })
      await worker.waitUntilReady()
      const startedAt = performance.now()
      const running = worker.run()
      await ended.promise
      const endedAt = performance.now()
      await worker.close()
      await running
      return endedAt - startedAt
    },
    [Symbol.asyncDispose]: () => parts.disposeAsync(),
  }
}

async function startRedis(program: string): Promise<{ port: number } & AsyncDisposable> {
  const dir = await mkdtemp(join(tmpdir(), 'muster-bench-'))
  const port = await freePort()
  const settings = { bind: '127.0.0.1', port, dir, save: '', appendonly: 'yes', appendfsync: 'always' }
  const args = Object.entries(settings).flatMap(([key, value]) => [`--${key}`, String(value)])
  const server = spawn(program, args, { stdio: 'ignore' })
  const ended = once(server, 'close')
  await listens(port)
  return {
    port,
    async [Symbol.asyncDispose]() {
      server.kill()
      await ended
      await rm(dir, { recursive: true, force: true })
    },
  }
}

async function listens(port: number): Promise<void> {
  for (const deadline = Date.now() + 10_000; ; ) {
    const socket = connect(port, '127.0.0.1')
    try {
      await once(socket, 'connect')
      return
    } catch (error) {
      if (Date.now() > deadline) throw error
      await new Promise((resolve) => setTimeout(resolve, 20))
    } finally {
      socket.destroy()
    }
  }
}
