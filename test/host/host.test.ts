// A host as a whole: its policy, its workers in this process, its readers, its home.

import { stat } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { followJournal } from '../../src/contract/event.ts'
import { getHostInfo } from '../../src/contract/host.ts'
import { feedOutput } from '../../src/contract/output.ts'
import { applyProc } from '../../src/contract/proc.ts'
import { cancelRun, getRun, startRun } from '../../src/contract/run.ts'
import type { Executor } from '../../src/host/host.ts'
import { eventually } from '../resources/eventually.ts'
import { makeTestHome, openTestHost } from './host-fixture.ts'

const flow = { kind: 'workflow' as const, file: 'x.yaml', source: 'steps: []' }

test('what its policy does not allow is refused and leaves nothing; its own runs can always be read', async () => {
  await using home = await makeTestHome()
  {
    await using box = await openTestHost(home)
    await box.start('before', { argv: ['true'] })
    await box.ended('before')
  }
  await using box = await openTestHost(home, { policy: { allow: [] } })
  await expect(box.start('denied', { argv: ['true'] })).rejects.toMatchObject({ code: 'policy.denied' })
  await expect(box.caller.call(getRun, { run: 'denied' })).rejects.toMatchObject({ code: 'run.unknown' })
  await expect(box.caller.call(applyProc, { proc: 'p', spec: { argv: ['true'] } })).rejects.toMatchObject({
    code: 'policy.denied',
  })
  expect((await box.caller.call(getRun, { run: 'before' })).state).toBe('succeeded')
  expect((await box.caller.call(getHostInfo, {})).allows).toEqual([])
})

test("a home has one host at a time, and is this account's alone", async () => {
  await using home = await makeTestHome()
  await using _ = await openTestHost(home)
  await expect(openTestHost(home)).rejects.toMatchObject({ code: 'home.locked' })
  expect((await stat(home.dir)).mode & 0o777).toBe(0o700)
})

test('a run is carried by a worker in this process, which writes, reports and can be cancelled', async () => {
  const executor: Executor = async ({ write, emit, signal }) => {
    await write('stdout', 'working\n')
    await emit({ type: 'step.started', step: 'one', units: 1 })
    await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
    return { state: 'cancelled' }
  }
  await using home = await makeTestHome()
  await using box = await openTestHost(home, { executors: { workflow: executor } })
  await box.caller.call(startRun, { run: 'flow', spec: flow })
  await eventually(async () => expect((await box.caller.call(getRun, { run: 'flow' })).lastEvent).toBe(3))
  await box.caller.call(cancelRun, { run: 'flow' })
  expect(await box.ended('flow')).toMatchObject({ state: 'cancelled', output: { stdout: 8 }, pid: null, exit: null })
  expect((await box.output('flow')).toString()).toBe('working\n')
})

test('a worker that throws fails its run with the reason', async () => {
  await using home = await makeTestHome()
  await using box = await openTestHost(home, {
    executors: {
      workflow: async () => {
        throw new Error('it broke')
      },
    },
  })
  await box.caller.call(startRun, { run: 'flow', spec: flow })
  expect(await box.ended('flow')).toMatchObject({
    state: 'failed',
    error: { code: 'internal', message: 'Muster itself failed: it broke.' },
  })
})

test('a worker is called again with its history when the host reopens', async () => {
  const histories: string[][] = []
  const executor: Executor = async ({ history, emit, write, signal }) => {
    histories.push(history.map((event) => event.type))
    await write('stdout', `${histories.length}`)
    if (histories.length === 2) return { state: 'succeeded' }
    await emit({ type: 'step.started', step: 'one', units: 1 })
    await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
    return { state: 'cancelled' }
  }
  await using home = await makeTestHome()
  {
    await using box = await openTestHost(home, { executors: { workflow: executor } })
    await box.caller.call(startRun, { run: 'flow', spec: flow })
    await eventually(async () => expect((await box.caller.call(getRun, { run: 'flow' })).lastEvent).toBe(3))
  }
  await using box = await openTestHost(home, { executors: { workflow: executor } })
  expect(await box.ended('flow')).toMatchObject({ state: 'succeeded', output: { stdout: 2 } })
  expect(histories).toEqual([['accepted'], ['accepted', 'state', 'step.started']])
  expect((await box.output('flow')).toString()).toBe('12')
})

test("the journal has every run's events in one numbering, live", async () => {
  await using home = await makeTestHome()
  await using box = await openTestHost(home)
  const seen: { position: number; run: string; seq: number }[] = []
  const reading = (async () => {
    for await (const { position, run, event } of box.caller.items(followJournal, { follow: true })) {
      seen.push({ position, run, seq: event.seq })
      if (seen.length === 6) return
    }
  })()
  await Promise.all([box.start('a', { argv: ['true'] }), box.start('b', { argv: ['true'] })])
  await reading
  expect(seen.map((entry) => entry.position)).toEqual([1, 2, 3, 4, 5, 6])
  for (const id of ['a', 'b']) expect(seen.filter(({ run }) => run === id).map(({ seq }) => seq)).toEqual([1, 2, 3])
})

test('the feed is chunk records that hold the output, and ends with the run', async () => {
  await using home = await makeTestHome()
  await using box = await openTestHost(home)
  await box.start('fed', { argv: ['/bin/sh', '-c', 'echo a; sleep 0.1; echo b >&2'] })
  const parts: Uint8Array[] = []
  for await (const bytes of box.caller.bytes(feedOutput, { run: 'fed' })) parts.push(bytes)
  const feed = Buffer.concat(parts)
  expect([feed.readUInt8(0), feed.readUInt32BE(4), feed.toString('utf8', 24, 26)]).toEqual([1, 2, 'a\n'])
  expect([feed.readUInt8(26), feed.readUInt32BE(30), feed.toString('utf8', 50)]).toEqual([2, 2, 'b\n'])
})

test('many readers of one live run all see its end', async () => {
  await using home = await makeTestHome()
  await using box = await openTestHost(home)
  await box.start('popular', { argv: ['/bin/sh', '-c', 'sleep 0.3; echo done'] })
  const readers = Array.from({ length: 200 }, () => box.output('popular'))
  for (const output of await Promise.all(readers)) expect(output.toString()).toBe('done\n')
})

test('it says what it knows of itself', async () => {
  await using home = await makeTestHome()
  await using box = await openTestHost(home)
  expect(await box.caller.call(getHostInfo, {})).toMatchObject({
    platform: process.platform,
    activeRuns: 0,
    kinds: ['command'],
    allows: ['runs', 'procs'],
    cores: expect.any(Number),
  })
})
