// The hub's events: hosts that come and go, what their nodes tell, and a subscriber who misses nothing over a restart of the hub.

import { expect, test } from 'vitest'
import type { Caller } from '../../src/contract/caller.ts'
import { type FleetEvent, followFleetEvents, followNodeEvents } from '../../src/contract/fleet-event.ts'
import { removeHost, shutdownHost } from '../../src/contract/host.ts'
import { type Implementation, implement } from '../../src/contract/implementation.ts'
import { makeHome } from '../resources/home.ts'
import { until } from '../resources/muster.ts'
import { openTestHub } from './hub-fixture.ts'

async function eventsOf(caller: Caller, input: { after?: number; topics?: string[] } = {}): Promise<FleetEvent[]> {
  const found: FleetEvent[] = []
  for await (const event of caller.items(followFleetEvents, input)) found.push(event)
  return found
}

function eventsOnce(caller: Caller, input: { after?: number; topics?: string[] }, count: number): Promise<FleetEvent[]> {
  return until(`there are ${count} events`, async () => {
    const found = await eventsOf(caller, input)
    return found.length >= count ? found : undefined
  })
}

test('a host that comes, goes and comes again is told of by id and name, with why it went', async () => {
  await using hub = await openTestHub()
  await using node = await hub.join('box')
  await node.cut()
  await node.dial()
  const found = await eventsOnce(hub.caller, { topics: ['host.*'] }, 4)
  expect(found.map(({ topic, name }) => `${topic} ${name}`)).toEqual([
    'host.connected local',
    'host.connected box',
    'host.disconnected box',
    'host.connected box',
  ])
  expect(found[1]).toMatchObject({ host: node.host, data: { connector: 'tunnel' } })
  expect(found[2]).toMatchObject({ host: node.host, data: { reason: expect.stringMatching(/\w/) } })
  await hub.caller.call(removeHost, { host: 'box' })
  const [removed] = await eventsOnce(hub.caller, { topics: ['host.*'], after: found.at(-1)?.position ?? 0 }, 1)
  expect(removed).toMatchObject({ topic: 'host.disconnected', host: node.host, name: 'box' })
})

test('what a node tells of itself comes with its host, once, over a link that breaks, and stays readable at the node', async () => {
  await using hub = await openTestHub()
  await using node = await hub.join('box')
  const input = { topics: ['node.*'] }
  const started = (await eventsOnce(hub.caller, input, 2)).find(({ host }) => host === node.host)
  expect(started).toMatchObject({ topic: 'node.started', name: 'box', data: { version: expect.any(String) } })
  await node.cut()
  // While nobody hears it.
  await node.caller.call(shutdownHost, { timeoutMs: 1_000 })
  await node.dial()
  await eventsOnce(hub.caller, input, 3)
  const topics = (await eventsOf(hub.caller, input)).filter(({ host }) => host === node.host).map(({ topic }) => topic)
  expect(topics).toEqual(['node.started', 'node.draining'])
  const own = []
  for await (const { position, topic } of (await hub.host('box')).items(followNodeEvents, {})) own.push([position, topic])
  expect(own).toEqual([
    [1, 'node.started'],
    [2, 'node.draining'],
  ])
})

test('a subscriber who comes again after the hub was restarted finds every event once', async () => {
  await using home = await makeHome()
  let seen: FleetEvent[] = []
  {
    await using hub = await openTestHub({ home })
    await using _node = await hub.join('box')
    seen = await eventsOnce(hub.caller, { topics: ['host.*'] }, 2)
  }
  await using again = await openTestHub({ home })
  const last = seen.at(-1)?.position ?? 0
  const rest = await until('the hub has started', async () => {
    const found = await eventsOf(again.caller, { after: last })
    return found.some(({ topic, position }) => topic === 'host.connected' && position > last) ? found : undefined
  })
  expect(rest.map(({ position }) => position)).toEqual(rest.map((_, n) => last + n + 1))
  const topics = rest.map(({ topic, name }) => `${topic} ${name ?? ''}`.trim())
  expect(topics).toEqual(expect.arrayContaining(['host.disconnected box', 'host.disconnected local', 'hub.started']))
  expect(topics.indexOf('hub.started')).toBeGreaterThan(topics.indexOf('host.disconnected box'))
  await expect(eventsOf(again.caller, { after: 1_000_000 })).rejects.toMatchObject({ code: 'events.ahead' })
})

test('a node without events, and one that lies, cost neither its link nor its runs', async () => {
  await using hub = await openTestHub()
  const without = (its: Implementation) => new Map([...its].filter(([name]) => name !== followNodeEvents.name))
  await using _older = await hub.join('older', without)
  const at = new Date().toISOString()
  const lie = implement(followNodeEvents, async function* () {
    yield { position: 1, at, topic: 'host.disconnected', data: {} }
  })
  await using _liar = await hub.join('liar', (its) => new Map([...its, [followNodeEvents.name, lie]]))
  for (const host of ['older', 'liar'])
    expect(await hub.endOf(await hub.submit({ kind: 'command', argv: ['true'] }, { host }))).toMatchObject({ state: 'succeeded' })
  const told = await eventsOf(hub.caller)
  expect(told.filter(({ topic }) => topic === 'host.disconnected')).toEqual([])
  expect(told.filter(({ topic, name }) => topic.startsWith('node.') && name !== 'local')).toEqual([])
})
