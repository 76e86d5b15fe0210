// Real workers and a real hub that meet in a bucket, and are killed.

import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { followEvents, type RunEvent } from '../../../src/contract/event.ts'
import { showHost } from '../../../src/contract/host.ts'
import { cancelRun, getRun } from '../../../src/contract/run.ts'
import { seededRandom } from '../../chaos/trials.ts'
import { endProcessesOf, makeHome } from '../../resources/home.ts'
import { until } from '../../resources/muster.ts'
import { s3Credentials, startS3 } from '../../resources/s3-server.ts'
import { type BucketHub, hostName, leaseMs, lookEveryMs, openBucketHub } from './fixture.ts'

/** What a busy machine may add to a look. */
const busyMs = 10_000
const seed = Number(process.env.MUSTER_SEED ?? 1)
/** The most that docs/connectors/bucket.md says a short job costs, and an idle hour. */
const perJob = { PUT: 4, 'PUT if absent': 1, GET: 5, DELETE: 3 }
const perIdleHour = { PUT: 70, 'PUT if absent': 0, GET: 80, DELETE: 0 }
/** By what factor a job may cost more: the store fails some requests, and on a busy machine a claim is renewed and a segment holds less. */
const busyFactor = 2
/** By how much an idle hour may: it is reckoned from some seconds and by the looks in them, which come late on a busy machine. */
const perIdleHourAtMostMore = 40

async function eventsOf({ hub }: BucketHub, run: string): Promise<RunEvent[]> {
  const events: RunEvent[] = []
  for await (const event of hub.client.host(hostName).items(followEvents, { run, follow: true })) events.push(event)
  return events
}

async function objectsIn(dir: string): Promise<string[]> {
  const entries = await readdir(dir, { recursive: true, withFileTypes: true })
  return entries.filter((one) => one.isFile()).map(({ name }) => name)
}

function untilStatus({ hub }: BucketHub, status: string) {
  return until(`the host is ${status}`, async () => {
    const row = await hub.own.hub.call(showHost, { host: hostName })
    return row.status === status ? row : undefined
  })
}

test('a run goes into the bucket and its events and output come out; nothing of it stays there', async () => {
  await using bucket = await openBucketHub()
  await using box = await makeHome()
  bucket.worker(box.path)
  await untilStatus(bucket, 'online')
  const hostname = await until('it says what it is', async () => {
    const { info } = await bucket.hub.own.hub.call(showHost, { host: hostName })
    return info?.hostname
  })
  expect(hostname).not.toBe('')
  const run = await bucket.submit(['/bin/sh', '-c', 'echo told; exit 3'], { queue: false })
  expect(await bucket.endOf(run.id)).toMatchObject({ state: 'failed', exit: { code: 3 }, host: hostName })
  expect(await bucket.output(run.id)).toBe('told\n')
  expect((await eventsOf(bucket, run.id)).map(({ seq }) => seq)).toEqual([1, 2, 3])
  await until('the bucket is clean', async () => {
    const left = (await objectsIn(bucket.dir)).filter((name) => name !== 'beat' && name !== 'done')
    return left.length === 0 ? true : undefined
  })
})

test('of a hundred runs that have ended and are read the bucket keeps a sign of life and the list of what is over', async () => {
  await using bucket = await openBucketHub()
  await using box = await makeHome()
  bucket.worker(box.path, ['--concurrency', '16'])
  await untilStatus(bucket, 'online')
  const runs = await Promise.all(Array.from({ length: 100 }, (_, n) => bucket.submit(['/bin/sh', '-c', `echo ${n}; sleep 0.2`])))
  const cancelled = await bucket.submit(['sleep', '600'])
  await bucket.hub.client.host(hostName).call(cancelRun, { run: cancelled.id, graceMs: 0 })
  for (const [n, run] of runs.entries()) {
    expect(await bucket.endOf(run.id)).toMatchObject({ state: 'succeeded' })
    expect(await bucket.output(run.id)).toBe(`${n}\n`)
  }
  let left: string[] = []
  await until(
    'it is empty but for them',
    async () => {
      left = await objectsIn(bucket.dir)
      return left.length <= 2 ? true : undefined
    },
    { log: () => left.join(' ') },
    120_000,
  )
  console.log(`keys in the bucket after ${runs.length + 1} runs have ended and were read: ${left.length} (${left.join(', ')})`)
  expect(left.sort()).toEqual(['beat', 'done'])
})

test('worker and hub are killed again and again: each event and each byte arrives once, and the command ran once', async () => {
  await using bucket = await openBucketHub()
  await using box = await makeHome()
  let worker = bucket.worker(box.path)
  await untilStatus(bucket, 'online')
  const starts = join(box.path, 'starts')
  const script = `echo started >> ${starts}; i=0; while [ $i -lt 60 ]; do echo line $i; i=$((i+1)); sleep 0.1; done`
  const run = await bucket.submit(['/bin/sh', '-c', script])
  await until('it runs', () => readFile(starts, 'utf8').catch(() => undefined))
  for (let kill = 0; kill < 3; kill++) {
    await worker.kill()
    worker = bucket.worker(box.path)
    if (kill === 1) await bucket.hub.restart()
    await until('the worker looks again', async () => (worker.log().includes('Looking') ? true : undefined), worker)
  }
  expect(await bucket.endOf(run.id)).toMatchObject({ state: 'succeeded' })
  expect(await bucket.output(run.id)).toBe(Array.from({ length: 60 }, (_, i) => `line ${i}\n`).join(''))
  expect((await eventsOf(bucket, run.id)).map(({ seq }) => seq)).toEqual([1, 2, 3])
  expect(await readFile(starts, 'utf8')).toBe('started\n')
})

test('when a machine is gone another takes its run over within the lease and a look, and only that one is told of', async () => {
  await using bucket = await openBucketHub()
  await using opened = new AsyncDisposableStack()
  const machine = async () => {
    const home = opened.use(await makeHome())
    return { home: home.path, worker: bucket.worker(home.path) }
  }
  const claimed = (run: string, { log }: { log(): string }) =>
    log()
      .split('\n')
      .some((line) => line.includes('a run was claimed') && line.includes(run))
  let machines = [await machine(), await machine()]
  await untilStatus(bucket, 'online')
  const tookMs: number[] = []
  const random = seededRandom(seed)
  for (let round = 0; round < 4; round++) {
    const run = await bucket.submit(['/bin/sh', '-c', 'echo begun; sleep 600'])
    await until('one of them has told of it', async () => {
      const { state } = await bucket.hub.client.host(hostName).call(getRun, { run: run.id })
      return state === 'running' ? true : undefined
    })
    const others = machines.filter(({ worker }) => !claimed(run.id, worker))
    const [holder] = machines.filter(({ worker }) => claimed(run.id, worker))
    const [other] = others
    if (!holder || !other) throw new Error('one of the two must hold it')
    // Wherever it is between two renewals.
    await sleep(random() * leaseMs)
    await holder.worker.kill()
    await endProcessesOf(holder.home)
    const goneAt = performance.now()
    await until('the other claims it', async () => (claimed(run.id, other.worker) ? true : undefined), other.worker)
    tookMs.push(Math.round(performance.now() - goneAt))
    await bucket.hub.client.host(hostName).call(cancelRun, { run: run.id, graceMs: 0 })
    expect(await bucket.endOf(run.id)).toMatchObject({ state: 'cancelled' })
    expect(await bucket.output(run.id)).toBe('begun\n')
    const events = await eventsOf(bucket, run.id)
    expect(events.map(({ seq }) => seq)).toEqual(events.map((_, i) => i + 1))
    machines = [...others, await machine()]
  }
  console.log(
    `taken over ${tookMs.join(', ')} ms after its machine was gone; lease ${leaseMs} ms, a look each ${lookEveryMs} ms, seed ${seed}`,
  )
  for (const ms of tookMs) expect(ms).toBeLessThan(leaseMs + lookEveryMs + busyMs)
})

test('what was asked while nobody looked is done by a worker that comes once and ends', async () => {
  await using bucket = await openBucketHub()
  await using box = await makeHome()
  const runs = await Promise.all([1, 2, 3].map((n) => bucket.submit(['/bin/sh', '-c', `echo ${n}`])))
  await until('all jobs lie in the bucket', async () => {
    const jobs = await readdir(join(bucket.dir, 'q', 'job')).catch(() => [])
    return jobs.length === 3 ? true : undefined
  })
  const worker = bucket.worker(box.path, ['--once'])
  await worker.ended
  expect(worker.child.exitCode).toBe(0)
  for (const [i, run] of runs.entries()) {
    expect(await bucket.endOf(run.id)).toMatchObject({ state: 'succeeded' })
    expect(await bucket.output(run.id)).toBe(`${i + 1}\n`)
  }
  await untilStatus(bucket, 'offline')
})

test('the same over S3, and what it costs', async () => {
  await using store = await startS3({ latencyMs: 5, unavailable: 0.01, conflict: 0.01, random: seededRandom(seed) })
  Object.assign(process.env, s3Credentials)
  await using bucket = await openBucketHub({ endpoint: store.endpoint })
  await using box = await makeHome()
  bucket.worker(box.path, ['--concurrency', '8'], s3Credentials)
  await untilStatus(bucket, 'online')
  const before = new Map(store.counts)
  const begunAtMs = performance.now()
  const jobs = 20
  const runs = await Promise.all(Array.from({ length: jobs }, (_, n) => bucket.submit(['/bin/sh', '-c', `echo ${n}`])))
  for (const [n, run] of runs.entries()) {
    expect(await bucket.endOf(run.id)).toMatchObject({ state: 'succeeded' })
    expect(await bucket.output(run.id)).toBe(`${n}\n`)
  }
  // All that is left of a job, which is deleted one by one: what is deleted later would count as an idle hour's.
  const left = () => [...store.objects.keys()].filter((key) => !/\/(beat|done)$/.test(key))
  await until(
    'the bucket is clean',
    async () => (left().length === 0 ? true : undefined),
    { log: () => left().join(' ') },
    120_000,
  )
  // Signs of life are no job's: each is put, and got once.
  const beats = Math.floor((performance.now() - begunAtMs) / (4 * lookEveryMs))
  const cost = [...store.counts].map(([what, count]) => {
    const own = count - (before.get(what) ?? 0) - (what === 'PUT' || what === 'GET' ? beats : 0)
    return { what, each: own / jobs }
  })
  const idleFrom = new Map(store.counts)
  const since = (what: string) => (store.counts.get(what) ?? 0) - (idleFrom.get(what) ?? 0)
  await until('both have looked often', async () => (since('LIST') >= 60 ? true : undefined), undefined, 120_000)
  // Each side lists once a look: 240 times an hour when it looks each 15 s.
  const idle = [...store.counts.keys()].map((what) => ({ what, each: Math.round((since(what) / since('LIST')) * 480) }))
  const said = (counts: typeof cost) => counts.map(({ what, each }) => `${what} ${Number(each.toFixed(1))}`).join(', ')
  console.log(`requests per idle hour (both sides, a look each 15 s): ${said(idle)}; seed ${seed}`)
  console.log(`requests per job (of ${jobs}, both sides, looks of every ${lookEveryMs} ms included): ${said(cost)}`)
  for (const [what, most] of Object.entries(perJob))
    expect(cost.find((one) => one.what === what)?.each, what).toBeLessThanOrEqual(most * busyFactor)
  for (const [what, most] of Object.entries(perIdleHour))
    expect(idle.find((one) => one.what === what)?.each, what).toBeLessThanOrEqual(most + perIdleHourAtMostMore)
})
