// Hosts at a hub: names, removal, and what is said of runs whose host is away.

import { expect, test } from 'vitest'
import { followEvents, followJournal } from '../../src/contract/event.ts'
import { enrollNode, listHosts, removeHost, showHost } from '../../src/contract/host.ts'
import { followLog } from '../../src/contract/output.ts'
import { cancelRun, getRun, startRun } from '../../src/contract/run.ts'
import { makeHome } from '../resources/home.ts'
import { until } from '../resources/muster.ts'
import { openTestHub } from './hub-fixture.ts'

const sleep = { kind: 'command' as const, argv: ['sleep', '600'] }

test('a name is taken whatever its case, and local cannot be enrolled or removed', async () => {
  await using hub = await openTestHub()
  await hub.caller.call(enrollNode, { name: 'Köln-1' })
  for (const name of ['köln-1', 'KÖLN-1', 'Ko\u0308ln-1', 'local', 'LOCAL']) {
    await expect(hub.caller.call(enrollNode, { name })).rejects.toMatchObject({ code: 'host.name_taken' })
  }
  await expect(hub.caller.call(removeHost, { host: 'local' })).rejects.toMatchObject({ code: 'host.local_stays' })
  const { hosts } = await hub.caller.call(listHosts, {})
  expect(hosts.map(({ name, status }) => [name, status])).toEqual([
    ['local', 'online'],
    ['Köln-1', 'never_seen'],
  ])
})

test('a run whose host is away is shown as it was, with since when; it went on and is true again when the host is back', async () => {
  await using hub = await openTestHub()
  await using node = await hub.join('box')
  const run = await hub.submit(sleep, { host: 'box' })
  const box = await hub.host('box')
  await until('it runs', async () => ((await box.call(getRun, { run: run.id })).state === 'running' ? true : undefined))
  await node.cut()
  expect(await box.call(getRun, { run: run.id })).toMatchObject({
    state: 'running',
    unreachableSince: expect.stringMatching(/^20/),
  })
  await expect(box.call(cancelRun, { run: run.id })).rejects.toMatchObject({ code: 'host.offline' })
  await node.dial()
  expect(await box.call(getRun, { run: run.id })).toMatchObject({ state: 'running', unreachableSince: null })
  await box.call(cancelRun, { run: run.id })
  expect(await hub.endOf(run)).toMatchObject({ state: 'cancelled', exit: { code: null, signal: 'SIGTERM' } })
})

test('a run that goes on shows how much it has written so far, on its own host and through the mirror', async () => {
  await using hub = await openTestHub()
  await using _node = await hub.join('box')
  for (const host of ['local', 'box']) {
    const run = await hub.submit({ kind: 'command', argv: ['sh', '-c', 'printf 12345; printf 123 >&2; sleep 600'] }, { host })
    const caller = await hub.host(host)
    const sizes = await until(`${host} has written`, async () => {
      const { state, output } = await caller.call(getRun, { run: run.id })
      return state === 'running' && output.stdout > 0 && output.stderr > 0 ? output : undefined
    })
    expect(sizes).toEqual({ stdout: 5, stderr: 3 })
    await caller.call(cancelRun, { run: run.id })
    await hub.endOf(run)
  }
})

test('a host with live runs is removed only by force, and its runs then end at the hub with the reason', async () => {
  await using hub = await openTestHub()
  await using _node = await hub.join('box')
  await hub.submit(sleep, { host: 'box' })
  await expect(hub.caller.call(removeHost, { host: 'box' })).rejects.toMatchObject({ code: 'host.busy' })
  await hub.caller.call(removeHost, { host: 'box', force: true })
  await expect(hub.caller.call(showHost, { host: 'box' })).rejects.toMatchObject({ code: 'host.unknown' })
})

test('a hub that is opened again knows its hosts, their last word and their runs', async () => {
  await using home = await makeHome()
  let run = ''
  {
    await using hub = await openTestHub({ home })
    await using _node = await hub.join('box')
    run = (await hub.endOf(await hub.submit({ kind: 'command', argv: ['echo', 'hi'] }, { host: 'box' }))).id
    await until('its word is kept', async () => ((await hub.caller.call(listHosts, {})).hosts[1]?.info ? true : undefined))
  }
  await using again = await openTestHub({ home })
  const { hosts } = await again.caller.call(listHosts, {})
  expect(hosts[1]).toMatchObject({ name: 'box', status: 'offline', info: { platform: process.platform } })
  expect(await (await again.host('box')).call(getRun, { run })).toMatchObject({ state: 'succeeded', host: 'box' })
})

test('of two enrolments of one name at the same moment, the second is told that it is taken', async () => {
  await using hub = await openTestHub()
  const both = await Promise.allSettled(['box', 'BOX'].map((name) => hub.caller.call(enrollNode, { name })))
  expect(both).toMatchObject([{ status: 'fulfilled' }, { status: 'rejected', reason: { code: 'host.name_taken' } }])
})

test('who follows a run of a host that is being removed is told so, instead of waiting for it', async () => {
  await using hub = await openTestHub()
  await using node = await hub.join('box')
  const [begun, waiting] = [await hub.submit(sleep, { host: 'box' }), 'run_waiting']
  const box = await hub.host('box')
  await until('it runs', async () => ((await box.call(getRun, { run: begun.id })).state === 'running' ? true : undefined))
  await node.cut()
  await hub.submit(sleep, { host: 'box', run: waiting, queue: true })
  const readers = [
    drain(box.items(followEvents, { run: begun.id, follow: true })),
    drain(box.items(followLog, { run: begun.id, follow: true })),
    drain(box.items(followJournal, { follow: true })),
  ]
  const ends = Promise.allSettled(readers)
  const waits = Promise.allSettled([drain(box.items(followEvents, { run: waiting, follow: true }))])
  await hub.caller.call(removeHost, { host: 'box', force: true })
  for (const end of await ends) expect(end).toMatchObject({ status: 'rejected', reason: { code: 'host.unknown' } })
  // The run's end, or that its host is gone: whichever comes first.
  await waits
})

test('a host ends only runs of its own, also where another host has a run of the same id', async () => {
  await using hub = await openTestHub()
  await using node = await hub.join('one')
  await using _two = await hub.join('two')
  const [one, two] = [await hub.host('one'), await hub.host('two')]
  await node.cut()
  const { id: run } = await hub.submit(sleep, { host: 'one', queue: true })
  await two.call(startRun, { run, spec: { kind: 'command', argv: ['true'] } })
  await drain(two.items(followEvents, { run, follow: true }))
  expect((await two.call(getRun, { run })).state).toBe('succeeded')
  expect((await one.call(getRun, { run })).state).toBe('queued')
})

async function drain<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const item of items) all.push(item)
  return all
}
