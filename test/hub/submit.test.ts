// Submitting: durable, idempotent, refused at once where that is honest, waiting where that was asked for.

import { expect, test } from 'vitest'
import { followEvents, type RunEvent } from '../../src/contract/event.ts'
import { findRun, listFleetRuns } from '../../src/contract/fleet.ts'
import { readOutput } from '../../src/contract/output.ts'
import { cancelRun, getRun, type RunSpecInput } from '../../src/contract/run.ts'
import { openTestHub } from './hub-fixture.ts'

const echo: RunSpecInput = { kind: 'command', argv: ['echo', 'hello'] }
const sleep: RunSpecInput = { kind: 'command', argv: ['sleep', '600'] }

async function textOf(bytes: AsyncIterable<Uint8Array>): Promise<string> {
  const parts: Uint8Array[] = []
  for await (const part of bytes) parts.push(part)
  return Buffer.concat(parts).toString()
}

test('the same key and request is the same run, also at the same moment; another request is a conflict', async () => {
  await using hub = await openTestHub()
  const runs = await Promise.all(Array.from({ length: 20 }, () => hub.submit(echo, { key: 'k' })))
  expect(new Set(runs.map(({ id }) => id)).size).toBe(1)
  await hub.endOf(runs[0] as (typeof runs)[0])
  expect((await hub.submit(echo, { key: 'k' })).state).toBe('succeeded')
  await expect(hub.submit(sleep, { key: 'k' })).rejects.toMatchObject({ code: 'run.conflict' })
})

test("a run that ends before its start was noted is still the host's: its output and exit are there", async () => {
  await using hub = await openTestHub()
  const runs = await Promise.all(Array.from({ length: 40 }, () => hub.submit({ kind: 'command', argv: ['echo', 'fast'] })))
  for (const run of runs) {
    const local = await hub.host('local')
    expect(await textOf(local.bytes(readOutput, { run: run.id, follow: true }))).toBe('fast\n')
    expect(await hub.endOf(run)).toMatchObject({ state: 'succeeded', exit: { code: 0 } })
  }
})

test('a host that is offline is an error at once; with `queue` the run waits and starts when the host is back', async () => {
  await using hub = await openTestHub()
  await using node = await hub.join('box')
  await node.cut()
  await expect(hub.submit(echo, { host: 'box' })).rejects.toMatchObject({ code: 'host.offline', retryable: true })
  const waiting = await hub.submit(echo, { host: 'box', queue: true })
  expect(waiting.state).toBe('queued')
  const box = await hub.host('box')
  const output = textOf(box.bytes(readOutput, { run: waiting.id, follow: true }))
  await node.dial()
  expect(await output).toBe('hello\n')
  expect(await hub.endOf(waiting)).toMatchObject({ state: 'succeeded', host: 'box', exit: { code: 0 } })
})

test('a run that waits can be cancelled, and is then a run like any other: state, events, no output', async () => {
  await using hub = await openTestHub()
  await using node = await hub.join('box')
  await node.cut()
  const waiting = await hub.submit(echo, { host: 'box', queue: true })
  const box = await hub.host('box')
  expect((await box.call(cancelRun, { run: waiting.id })).state).toBe('cancelled')
  const events: RunEvent[] = []
  for await (const event of box.items(followEvents, { run: waiting.id, follow: true })) events.push(event)
  expect(events).toMatchObject([
    { seq: 1, type: 'accepted' },
    { seq: 2, type: 'state', state: 'cancelled' },
  ])
  expect(await textOf(box.bytes(readOutput, { run: waiting.id, follow: true }))).toBe('')
  await node.dial()
  expect((await box.call(getRun, { run: waiting.id })).state).toBe('cancelled')
  await expect(box.call(cancelRun, { run: waiting.id })).rejects.toMatchObject({ code: 'run.ended' })
})

test('a run that has waited too long ends as failed and says why', async () => {
  await using hub = await openTestHub()
  await using node = await hub.join('box')
  await node.cut()
  const waiting = await hub.submit(echo, { host: 'box', queue: true, expiresInMs: 1000 })
  expect(await hub.endOf(waiting)).toMatchObject({ state: 'failed', error: { code: 'run.expired' } })
})

test('what cannot run is refused before it is queued', async () => {
  await using hub = await openTestHub()
  await using _node = await hub.join('box')
  const workflow = { kind: 'workflow' as const, file: 'w.yaml', source: 'name: w\nsteps: [{ id: a, run: [echo, hi] }]' }
  await expect(hub.submit(workflow, { host: 'box' })).rejects.toMatchObject({ code: 'run.kind_unsupported' })
  await expect(hub.submit({ ...workflow, host: 'nowhere' })).rejects.toMatchObject({ code: 'host.unknown' })
  await expect(hub.submit({ kind: 'workflow', file: 'w.yaml', source: 'name: w\nsteps: []' })).rejects.toMatchObject({
    code: 'workflow.invalid',
  })
  await expect(hub.submit(echo, { host: 'nowhere' })).rejects.toMatchObject({ code: 'host.unknown' })
  expect((await hub.caller.call(listFleetRuns, {})).runs).toEqual([])
})

test('a list over pages has every run once, those that wait included, and names the host that could not be asked', async () => {
  await using hub = await openTestHub()
  await using node = await hub.join('box')
  const submitted = []
  for (let n = 0; n < 3; n++) submitted.push(await hub.submit(echo), await hub.submit(echo, { host: 'box' }))
  for (const run of submitted) await hub.endOf(run)
  await node.cut()
  for (let n = 0; n < 2; n++) submitted.push(await hub.submit(echo, { host: 'box', queue: true }))

  const listed: string[] = []
  let before: string | undefined
  do {
    const page = await hub.caller.call(listFleetRuns, { limit: 3, ...(before !== undefined && { before }) })
    expect(page.unanswered).toMatchObject([{ host: 'box' }])
    listed.push(...page.runs.map(({ id }) => id))
    before = page.next ?? undefined
  } while (before !== undefined)
  expect(listed.sort()).toEqual(submitted.map(({ id }) => id).sort())
  for (const { id, host } of submitted) expect(await hub.caller.call(findRun, { run: id })).toMatchObject({ id, host })
  await expect(hub.caller.call(findRun, { run: 'run_none' })).rejects.toMatchObject({ code: 'run.unknown' })
})

test('a list of runs that only wait goes on over pages too', async () => {
  await using hub = await openTestHub()
  await using node = await hub.join('box')
  await node.cut()
  const waiting = []
  for (let n = 0; n < 5; n++) waiting.push((await hub.submit(echo, { host: 'box', queue: true })).id)
  const listed: string[] = []
  let before: string | undefined
  do {
    const page = await hub.caller.call(listFleetRuns, { limit: 2, ...(before !== undefined && { before }) })
    listed.push(...page.runs.map(({ id }) => id))
    before = page.next ?? undefined
  } while (before !== undefined)
  expect(listed).toEqual(waiting.reverse())
})

test('a repeat by run id is the same run also while its host is away; a run id under another key is a conflict', async () => {
  await using hub = await openTestHub()
  await using node = await hub.join('box')
  const first = await hub.submit(sleep, { host: 'box', run: 'run_mine' })
  await node.cut()
  expect((await hub.submit(sleep, { host: 'box', run: first.id })).id).toBe(first.id)
  await expect(hub.submit(sleep, { host: 'box', run: first.id, key: 'k', queue: true })).rejects.toMatchObject({
    code: 'run.conflict',
  })
  await expect(hub.submit(sleep, { run: first.id })).rejects.toMatchObject({ code: 'run.conflict' })
})
