// States of a worker that real processes come to by chance alone.

import { mkdir, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { pino } from 'pino'
import { monotonicFactory } from 'ulidx'
import { expect, test } from 'vitest'
import { askKey, claimKey, jobKey } from '../../../src/connectors/bucket/keys.ts'
import { openNews } from '../../../src/connectors/bucket/news.ts'
import { openWorkerHome } from '../../../src/connectors/bucket/worker-home.ts'
import { eventually } from '../../resources/eventually.ts'
import { makeHome } from '../../resources/home.ts'
import { host, loneBucket, memoryObjects } from './lone-worker.ts'

const leaseMs = 400
const nextUlid = monotonicFactory()
const soon = () => Date.now() + 3600_000
const job = (run: string) => ({
  type: 'job',
  run,
  input: { run, spec: { kind: 'command', argv: ['true'] } },
  validUntil: soon(),
})

const ask = (run: string, operation: string, input: unknown) => ({ type: 'ask', run, operation, input, validUntil: soon() })

test('what was asked of a run while its worker was dead is done, once, by the worker that takes it over', async () => {
  const bucket = loneBucket()
  const [dead, alive] = [bucket.join(), bucket.join()]
  await bucket.put(jobKey('r1'), job('r1'))
  await bucket.claimsOf(dead, leaseMs).take('r1', { fence: 1, former: undefined })
  await bucket.put(askKey(nextUlid()), ask('r1', 'run.cancel', { run: 'r1' }))
  await using worker = await bucket.worker(alive, leaseMs)
  await eventually(() => expect(worker.asked).toContain('run.cancel r1'))
  const looks = bucket.objects.lists()
  await eventually(() => expect(bucket.objects.lists()).toBeGreaterThan(looks + 5))
  expect(worker.asked).toEqual(['run.start r1', 'run.cancel r1'])
})

test('a run that was given to another worker is cancelled here, and forgotten only once that can be kept', async () => {
  const bucket = loneBucket()
  const [loser, taker] = [bucket.join(), bucket.join()]
  await bucket.put(jobKey('r1'), job('r1'))
  await using worker = await bucket.worker(loser, 60_000)
  await eventually(() => expect(worker.asked).toEqual(['run.start r1']))
  const file = join(worker.home, 'worker.json')
  const held = async () => Object.keys(JSON.parse(await readFile(file, 'utf8')).held)
  await eventually(async () => expect(await held()).toEqual(['r1']))
  // Nothing can be written there, as on a disk that is full.
  await rename(file, `${file}.aside`)
  await mkdir(file)
  await bucket.claimsOf(taker, 60_000).take('r1', { fence: 2, former: undefined })
  await eventually(() => expect(worker.asked).toContain('run.cancel r1'))
  await rm(file, { recursive: true })
  await rename(`${file}.aside`, file)
  await eventually(async () => expect(await held()).toEqual([]))
})

test('what is asked of a run whose claim was renewed behind its end is answered all the same', async () => {
  const bucket = loneBucket()
  const member = bucket.join()
  await bucket.claimsOf(member, leaseMs).take('r1', { fence: 1, former: undefined })
  await bucket.put(askKey(nextUlid()), ask('r1', 'run.cancel', { run: 'r1' }))
  await using worker = await bucket.worker(member, leaseMs, ['r1'])
  await eventually(() => expect(worker.asked).toEqual(['run.cancel r1']))
})

test('pieces of standard input keep their order when the first has to be tried again, and one behind a gap is answered', async () => {
  const bucket = loneBucket()
  const member = bucket.join()
  const piece = (offset: number) => bucket.put(askKey(nextUlid()), ask('r1', 'run.stdin', { run: 'r1', offset, end: false }))
  for (const offset of [0, 1, 2, 9]) await piece(offset)
  await using worker = await bucket.worker(member, leaseMs, ['r1'])
  await eventually(() => expect(worker.asked).toEqual([0, 1, 2].map((offset) => `run.stdin r1 ${offset}`)))
  await eventually(async () => expect(await bucket.answers(member)).toContainEqual('run.stdin_gap'))
  expect(await bucket.answers(member)).toEqual([undefined, undefined, undefined, 'run.stdin_gap'])
})

test('what was asked of no run is begun once, though somebody puts it back when it is over', async () => {
  const bucket = loneBucket()
  const member = bucket.join()
  await using worker = await bucket.worker(member, leaseMs)
  const id = nextUlid()
  const invocation = ask(id, 'command.invoke', { command: 'once' })
  await bucket.put(askKey(id), invocation)
  await eventually(async () => expect(await bucket.answers(member)).toEqual([undefined]))
  // As the hub does with what is answered.
  await bucket.objects.delete(askKey(id))
  await bucket.objects.delete(claimKey(id, 1))
  const looks = async (more: number) => {
    const before = bucket.objects.lists()
    await eventually(() => expect(bucket.objects.lists()).toBeGreaterThan(before + more))
  }
  await looks(2)
  await bucket.put(askKey(id), invocation)
  await looks(5)
  expect(worker.asked).toEqual(['command.invoke once'])
  const { begun } = JSON.parse(await readFile(join(worker.home, 'worker.json'), 'utf8'))
  expect(Object.keys(begun), 'it is known over a restart').toEqual([id])
})

test('an invocation that is taken back ends and is answered; one that its hub has left ends as by a link that breaks', async () => {
  const bucket = loneBucket()
  const member = bucket.join()
  await using worker = await bucket.worker(member, leaseMs)
  const [takenBack, left] = [nextUlid(), nextUlid()]
  for (const id of [takenBack, left]) await bucket.put(askKey(id), ask(id, 'command.invoke', { command: 'wait' }))
  await eventually(() => expect(worker.asked).toEqual(['command.invoke wait', 'command.invoke wait']))
  await bucket.objects.delete(askKey(left))
  await eventually(() => expect(bucket.objects.keys()).not.toContain(claimKey(left, 1)))
  expect(await bucket.answers(member)).toEqual([])
  await bucket.put(askKey(takenBack), { ...ask(takenBack, 'command.invoke', {}), validUntil: 0 })
  await eventually(async () => expect(await bucket.answers(member)).toEqual(['call.cancelled']))
})

test('what is for one worker alone is taken by no other', async () => {
  const bucket = loneBucket()
  const [one, other] = [bucket.join(), bucket.join()]
  await using worker = await bucket.worker(one, leaseMs)
  const answer = (to: string, approval: string) => {
    const id = nextUlid()
    return bucket.put(askKey(id), { ...ask(id, 'approval.resolve', { command: approval }), worker: to })
  }
  await answer(other.id, 'theirs')
  await answer(one.id, 'its own')
  await eventually(() => expect(worker.asked).toEqual(['approval.resolve its own']))
})

test('a claim that has lapsed, or is listed no more, is no reason to look again at once', async () => {
  const bucket = loneBucket()
  const [one, other] = [bucket.join(), bucket.join()]
  await bucket.claimsOf(one, leaseMs).take('r1', { fence: 1, former: undefined })
  const claims = bucket.claimsOf(other, leaseMs)
  expect(await claims.vacancy('r1', '1:a', 1_000)).toBeUndefined()
  expect(claims.nextLapseMs(1_000)).toBe(1_000 + leaseMs)
  expect(claims.nextLapseMs(1_000 + leaseMs)).toBe(Infinity)
  claims.watchOnly(new Set(['r2']))
  expect(claims.nextLapseMs(1_000)).toBe(Infinity)
})

test('a segment for which the disk has no room is kept and put once it has', async () => {
  await using dir = await makeHome()
  const objects = memoryObjects()
  const worker = loneBucket().join()
  const real = await openWorkerHome(join(dir.path, 'worker'))
  const kept: number[] = []
  let isFull = true
  const home = Object.assign(Object.create(real) as typeof real, {
    async keepSegment(number: number, bytes: Uint8Array) {
      if (isFull) {
        isFull = false
        throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' })
      }
      await real.keepSegment(number, bytes)
      kept.push(number)
    },
  })
  const news = openNews({ objects, home, host, worker, gatherMs: 10, log: pino({ enabled: false }) })
  const ending = new AbortController()
  const sending = news.send(ending.signal)
  news.answer({ to: jobKey('r1'), value: {} })
  // Fails with what `sending` fails with.
  await Promise.race([sending, news.settled(AbortSignal.timeout(60_000))])
  expect(objects.keys()).toEqual([`up/${worker.id}/000000000001`])
  expect(kept).toEqual([1])
  ending.abort()
  await sending
})
