// What a hub believes of what a node tells of itself.

import pino from 'pino'
import { expect, onTestFinished, test } from 'vitest'
import { eventually } from '../../test/resources/eventually.ts'
import type { Caller } from '../contract/caller.ts'
import { direct } from '../contract/direct.ts'
import { failure } from '../contract/errors.ts'
import { followNodeEvents, NodeEvent } from '../contract/fleet-event.ts'
import { implement, implementation, type Principal } from '../contract/implementation.ts'
import { appendFleetEvents, readFleetEvents } from '../store/fleet-events.ts'
import { hearNode, nodeAllowance } from './node-events.ts'
import { openTestHome, testHost } from './test-parts.ts'

const at = '2026-01-01T00:00:00.000Z'
const log = pino({ level: 'silent' })
const event = (position: number, topic = 'node.test', data = {}) => ({ position, at, topic, data })
const host = testHost('host_1', [])

/** Hears a node that tells `told` after the number it is asked for, as a carrier does: each parsed. */
async function hearing(told: readonly object[], failing?: Error, allowance = nodeAllowance()) {
  const home = await openTestHome()
  const asked: number[] = []
  const bound = implement(followNodeEvents, async function* ({ after }, { signal }) {
    asked.push(after)
    for (const one of told) {
      const parsed = NodeEvent.safeParse(one)
      if (!parsed.success) throw failure('wire.protocol', { problem: 'no event of a node' })
      if (parsed.data.position > after) yield parsed.data
    }
    if (failing) throw failing
    await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
  })
  const principal: Principal = { kind: 'hub', id: 'hub', role: 'hub', scopes: new Set(['read']) }
  const caller: Caller = direct(implementation(bound), principal)
  const leaving = new AbortController()
  let rings = 0
  const events = { ring: () => void rings++ }
  const over = hearNode(host, caller, { store: home.store, events, allowance, log }, leaving.signal)
  onTestFinished(async () => {
    leaving.abort()
    await over
    await home[Symbol.asyncDispose]()
  })
  const found = () => readFleetEvents(home.store, 0, 2_000)
  return { store: home.store, asked, over, found, rings: () => rings }
}

test('it is stamped with the host whose link it is, numbered anew, and heard once', async () => {
  const node = await hearing([event(1), event(5, 'node.draining', { host: 'other', n: 1 })])
  await eventually(async () => expect(await node.found()).toHaveLength(2))
  expect(await node.found()).toMatchObject([
    { position: 1, topic: 'node.test', host: 'host_1', name: 'host_1' },
    { position: 2, topic: 'node.draining', host: 'host_1', data: { host: 'other', n: 1 } },
  ])
  expect(node.rings()).toBeGreaterThan(0)
})

test.each(['host.connected', 'hub.started', 'pairing.requested', 'approval.requested', 'node', 'nodes.x', 'node.', 'Node.x'])(
  'a node cannot tell of %s',
  async (topic) => {
    const node = await hearing([event(1), event(2, topic), event(3)])
    await node.over
    // What came before it may have been kept, and nothing after it.
    expect((await node.found()).map(({ topic: kept }) => kept).filter((kept) => kept !== 'node.test')).toEqual([])
    expect((await node.found()).length).toBeLessThan(2)
    expect(NodeEvent.safeParse(event(2, topic)).success).toBe(false)
  },
)

test.each([
  ['more than a hub wants to know', event(1, 'node.test', { text: 'x'.repeat(9_000) })],
  ['no number', event(0)],
  ['no time', { ...event(1), at: 'yesterday' }],
])('an event with %s is none', async (_, told) => {
  const node = await hearing([told])
  await node.over
  expect(await node.found()).toEqual([])
})

test('after a break it is asked for what follows the last that was kept', async () => {
  const node = await hearing([event(1), event(2)], failure('wire.closed', { reason: 'cut' }))
  await eventually(() => expect(node.asked.length).toBeGreaterThan(1))
  expect(node.asked.slice(0, 2)).toEqual([0, 2])
  expect(await node.found()).toHaveLength(2)
})

test.each(['operation.unknown', 'host.deferred'] as const)('a host that answers %s is left in peace', async (code) => {
  const error =
    code === 'operation.unknown'
      ? failure(code, { operation: 'host.events' })
      : failure(code, { host: 'box', operation: 'host.events' })
  const node = await hearing([], error)
  await node.over
  expect(node.asked).toEqual([0])
})

test('of one that tells very much a thousand are heard for now, also where it dials again, and others are heard as before', async () => {
  const allowance = nodeAllowance()
  const told = Array.from({ length: 1_500 }, (_, n) => event(n + 1))
  const node = await hearing(told, failure('wire.closed', { reason: 'cut' }), allowance)
  await eventually(async () => expect((await node.found()).length).toBeGreaterThan(999))
  await appendFleetEvents(node.store, [{ topic: 'hub.test' }], 10_000)
  expect(allowance.waitMs()).toBeGreaterThan(60_000)
  expect((await node.found()).filter(({ topic }) => topic === 'node.test').length).toBeLessThan(1_100)
})
