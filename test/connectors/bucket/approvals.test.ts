// What people are asked through a bucket, by workers that come and go, and by hubs that do: the rest is in the conformance suite.

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { getRun } from '../../../src/contract/run.ts'
import { makeHome, start, until } from '../../resources/muster.ts'
import { askingPeople, mayAsk } from './asking.ts'
import { type BucketHub, hostName, openBucketHub } from './fixture.ts'

let bucket: BucketHub
beforeAll(async () => {
  bucket = await openBucketHub()
})
afterAll(() => bucket[Symbol.asyncDispose]())

/** A worker as cron starts it, busy with something until `finish`. */
async function busyOnce(home: string, interval: string) {
  const go = join(home, 'go')
  const { id } = await bucket.submit(['/bin/sh', '-c', `while [ ! -e '${go}' ]; do sleep 0.05; done`])
  const where = ['--bucket', bucket.place.bucket, '--prefix', bucket.place.prefix]
  const pull = ['node', 'pull', ...where, '--allow', 'runs', ...mayAsk, '--once', '--interval', interval]
  const worker = start(home, pull, { MUSTER_TOKEN: bucket.token })
  const state = async () => (await bucket.hub.client.host(hostName).call(getRun, { run: id })).state
  await until('it works', async () => ((await state()) === 'running' ? true : undefined), worker)
  return { worker, finish: () => writeFile(go, ''), [Symbol.asyncDispose]: () => worker.kill() }
}

/** Resolves once a worker has carried something. */
async function here(): Promise<void> {
  expect(await bucket.endOf((await bucket.submit(['true'])).id)).toMatchObject({ state: 'succeeded' })
}

test('a worker that comes once stays while it asks, looks often meanwhile, and tells all of it before it goes', async () => {
  await using box = await makeHome()
  const people = askingPeople(bucket, box.path)
  await using busy = await busyOnce(box.path, '1h')
  const { worker, finish } = busy
  const outcome = people.invoke('once')
  await finish()
  await people.approve(await people.question('once'))
  expect(await outcome).toMatchObject({ code: 0 })
  await worker.ended
  expect(worker.child.exitCode, worker.log()).toBe(0)
  await people.question('once', 'approved')
  expect(await people.ran('once')).toBe(1)
})

test('a worker that comes once and is killed while it asks: the next one says that nobody waits for it, and runs nothing', async () => {
  await using box = await makeHome()
  const people = askingPeople(bucket, box.path)
  await using busy = await busyOnce(box.path, '300ms')
  const { worker, finish } = busy
  const outcome = people.invoke('killed')
  await finish()
  const asked = await people.question('killed')
  await worker.kill()
  await using next = bucket.worker(box.path, [...mayAsk, '--once'])
  await next.ended
  expect(next.child.exitCode, next.log()).toBe(0)
  expect(await people.question('killed', 'unavailable')).toMatchObject({ id: asked.id })
  expect(await outcome).toMatchObject({ code: 'invoke.no_answer' })
  await expect(people.approve(asked)).rejects.toMatchObject({ code: 'approval.resolved' })
  expect(await people.ran('killed')).toBe(0)
})

test('of several workers each gets the answers to what it has asked itself', async () => {
  const people = askingPeople(bucket, bucket.dir)
  await using one = await makeHome()
  await using other = await makeHome()
  await using _first = bucket.worker(one.path, mayAsk)
  await using _second = bucket.worker(other.path, mayAsk)
  const names = ['a', 'b', 'c', 'd', 'e', 'f']
  await here()
  const outcomes = names.map((name) => people.invoke(name))
  await Promise.all(names.map(async (name) => people.approve(await people.question(name))))
  for (const outcome of outcomes) expect(await outcome).toMatchObject({ code: 0 })
  expect(await Promise.all(names.map(people.ran))).toEqual(names.map(() => 1))
})

test('a hub that is stopped while something waits takes nothing back, and with its key the same is answered afterwards', async () => {
  await using box = await makeHome()
  const people = askingPeople(bucket, box.path)
  await using _worker = bucket.worker(box.path, mayAsk)
  await here()
  const outcomes = [people.invoke('plain'), people.invoke('keyed', { key: 'k' })]
  const [plain, keyed] = [await people.question('plain'), await people.question('keyed')]
  process.kill(bucket.hub.process.pid, 'SIGTERM')
  for (const outcome of outcomes) expect(await outcome).toBeInstanceOf(Error)
  await bucket.hub.restart()
  const answer = (approval: typeof plain) =>
    until('it can be answered', () =>
      people.approve(approval).catch(({ retryable }) => (retryable ? undefined : Promise.reject())),
    )
  expect(await answer(plain)).toMatchObject({ state: 'approved' })
  expect(await answer(keyed)).toMatchObject({ state: 'approved' })
  expect(await people.invoke('keyed', { key: 'k' })).toMatchObject({ code: 0 })
  expect([await people.ran('plain'), await people.ran('keyed')]).toEqual([0, 1])
  expect(await people.invoke('plain')).toMatchObject({ code: 0 })
  expect([await people.ran('plain'), await people.ran('keyed')]).toEqual([1, 1])
})
