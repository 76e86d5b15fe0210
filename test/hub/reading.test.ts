// Reading through the hub where something else than a plain answer is due: runs that wait, and runs that have only just begun.

import { expect, test } from 'vitest'
import { followEvents } from '../../src/contract/event.ts'
import { feedOutput, followLog, readOutput } from '../../src/contract/output.ts'
import { cancelRun, getRun, startRun } from '../../src/contract/run.ts'
import { openTestHub } from './hub-fixture.ts'

const echo = { kind: 'command' as const, argv: ['echo', 'hello'] }

test('who does not follow a run that waits is answered at once: nothing yet', async () => {
  await using hub = await openTestHub()
  await using node = await hub.join('box')
  await node.cut()
  const { id: run } = await hub.submit(echo, { host: 'box', queue: true })
  const box = await hub.host('box')
  for (const read of [box.items(followEvents, { run }), box.items(followLog, { run }), box.bytes(readOutput, { run })]) {
    const all: unknown[] = []
    for await (const one of read) all.push(one)
    expect(all).toEqual([])
  }
  expect((await box.call(getRun, { run })).state).toBe('queued')
})

test('a run that waits for one host is nothing that another host could be asked about', async () => {
  await using hub = await openTestHub()
  await using node = await hub.join('box')
  await node.cut()
  const { id: run } = await hub.submit(echo, { host: 'box', queue: true })
  const local = await hub.host('local')
  const unknown = { code: 'run.unknown' }
  await expect(local.call(getRun, { run })).rejects.toMatchObject(unknown)
  await expect(local.call(cancelRun, { run })).rejects.toMatchObject(unknown)
  await expect(first(local.items(followEvents, { run, follow: true }))).rejects.toMatchObject(unknown)
  await expect(first(local.bytes(feedOutput, { run }))).rejects.toMatchObject(unknown)
  expect((await (await hub.host('box')).call(getRun, { run })).state).toBe('queued')
})

test('a run that was started on a tunnel host, past the queue, can be read as soon as that is answered', async () => {
  await using hub = await openTestHub()
  await using _node = await hub.join('box')
  const box = await hub.host('box')
  for (const run of ['run_1', 'run_2', 'run_3']) {
    expect(await box.call(startRun, { run, spec: echo })).toMatchObject({ id: run, host: 'box' })
    expect(await box.call(getRun, { run })).toMatchObject({ id: run, host: 'box' })
    expect(Buffer.from((await first(box.bytes(readOutput, { run, follow: true }))) ?? []).toString()).toBe('hello\n')
  }
})

async function first<T>(items: AsyncIterable<T>): Promise<T | undefined> {
  for await (const item of items) return item
  return undefined
}
