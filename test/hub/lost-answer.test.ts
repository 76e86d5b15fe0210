// The answer to a start is lost: the host has the run and the hub does not know. Nothing is started twice, shown twice or left behind.

import { expect, test } from 'vitest'
import { listFleetRuns } from '../../src/contract/fleet.ts'
import { type Implementation, implement, implementation } from '../../src/contract/implementation.ts'
import { cancelRun, getRun, listRuns, pauseRun, type Run, resumeRun, startRun } from '../../src/contract/run.ts'
import { until } from '../resources/muster.ts'
import { openTestHub } from './hub-fixture.ts'

const sleep = { kind: 'command' as const, argv: ['sleep', '600'] }

/** Starts what it is asked to start and never says so. */
function silentStarts(its: Implementation): Implementation {
  const start = implement(startRun, async (input, context) => {
    await its.get(startRun.name)?.handle(input, context, { async *[Symbol.asyncIterator]() {} })
    return new Promise<never>(() => {})
  })
  return implementation(...its.values(), start)
}

function neverStarts(its: Implementation): Implementation {
  return implementation(
    ...its.values(),
    implement(startRun, () => new Promise<never>(() => {})),
  )
}

test('a run that its host has and its job does not know is listed once', async () => {
  await using hub = await openTestHub()
  await using node = await hub.join('box', silentStarts)
  const { id: run } = await hub.submit(sleep, { host: 'box' })
  const list = async () => (await hub.caller.call(listFleetRuns, {})).runs.filter(({ id }) => id === run)
  await until('the mirror has it', async () => ((await list()).some(({ state }) => state === 'running') ? true : undefined))
  expect(await list()).toMatchObject([{ id: run, state: 'running' }])
  await node.caller.call(cancelRun, { run })
})

test('a run that its host has and its job does not know is paused and goes on like any', async () => {
  await using hub = await openTestHub()
  await using node = await hub.join('box', silentStarts)
  const { id: run } = await hub.submit(sleep, { host: 'box' })
  const box = await hub.host('box')
  const isListed = async (state: Run['state']) =>
    (await box.call(listRuns, {})).runs.some((one) => one.id === run && one.state === state) ? true : undefined
  await until('it is shown as running', () => isListed('running'))
  expect(await box.call(pauseRun, { run })).toMatchObject({ state: 'paused' })
  await until('it is shown as paused', () => isListed('paused'))
  expect(await box.call(resumeRun, { run })).toMatchObject({ state: 'running' })
  await node.caller.call(cancelRun, { run })
})

test('a run that its host does not have cannot be paused', async () => {
  await using hub = await openTestHub()
  await using node = await hub.join('box', neverStarts)
  const { id: run } = await hub.submit(sleep, { host: 'box' })
  const box = await hub.host('box')
  await until('it is claimed', async () => ((await box.call(getRun, { run })).state === 'claimed' ? true : undefined))
  await expect(box.call(pauseRun, { run })).rejects.toMatchObject({ code: 'run.transition' })
  await node.cut()
  await until('it waits again', async () => ((await box.call(getRun, { run })).state === 'queued' ? true : undefined))
  await expect(box.call(pauseRun, { run })).rejects.toMatchObject({ code: 'run.transition' })
})

test('a run that was cancelled while its host was away does not go on there', async () => {
  await using hub = await openTestHub()
  await using node = await hub.join('box', silentStarts)
  const { id: run } = await hub.submit(sleep, { host: 'box' })
  const onHost = () => node.caller.call(getRun, { run })
  await until('the host has it', async () => ((await onHost().catch(() => undefined)) ? true : undefined))
  await node.cut()
  const box = await hub.host('box')
  await until('it waits again', async () => ((await box.call(getRun, { run })).state === 'queued' ? true : undefined))
  expect((await box.call(cancelRun, { run })).state).toBe('cancelled')
  await node.dial()
  await until('it ends on its host', async () => ((await onHost()).state === 'cancelled' ? true : undefined))
})
