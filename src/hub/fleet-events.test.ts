import pino from 'pino'
import { expect, test } from 'vitest'
import { eventually } from '../../test/resources/eventually.ts'
import { failure } from '../contract/errors.ts'
import { type FleetEvent, followFleetEvents } from '../contract/fleet-event.ts'
import type { Principal } from '../contract/implementation.ts'
import type { Scope } from '../contract/operation.ts'
import { addFleetEvents } from '../store/fleet-events.ts'
import type { Store } from '../store/store.ts'
import { type FleetEvents, type NewFleetEvent, openFleetEvents } from './fleet-events.ts'
import { openTestHome } from './test-parts.ts'

const log = pino({ level: 'silent' })
const subscriber = (...scopes: Scope[]): Principal => ({ kind: 'user', id: 'tok', role: 'some', scopes: new Set(scopes) })
const operator = subscriber('read', 'operate', 'admin')
const never = new AbortController().signal
/** As one who publishes what no part of the hub does. */
const named = (topic: string) => ({ topic }) as NewFleetEvent

async function heard(
  events: FleetEvents,
  who: Principal,
  input: { after?: number; topics?: string[]; last?: number } = {},
): Promise<FleetEvent[]> {
  const found: FleetEvent[] = []
  for await (const event of events.follow(followFleetEvents.input.parse(input), who, never)) found.push(event)
  return found
}

const topicsOf = (found: readonly FleetEvent[]) => found.map(({ position, topic }) => `${position} ${topic}`)

async function published(store: Store, topics: readonly string[]): Promise<FleetEvents> {
  {
    await using events = openFleetEvents({ store, log })
    for (const topic of topics) events.publish(named(topic))
  }
  return openFleetEvents({ store, log })
}

test('each hears of what his scopes allow, in one rising numbering, and nobody of a family without a scope', async () => {
  await using home = await openTestHome()
  const topics = ['host.connected', 'pairing.requested', 'approval.requested', 'secret.leaked', 'hostile.x', 'node.started']
  await using events = await published(home.store, topics)
  const readable = ['1 host.connected', '3 approval.requested', '6 node.started']
  expect(topicsOf(await heard(events, subscriber('read')))).toEqual(readable)
  expect(topicsOf(await heard(events, operator))).toEqual([readable[0], '2 pairing.requested', ...readable.slice(1)])
  expect(topicsOf(await heard(events, subscriber('admin')))).toEqual(['2 pairing.requested'])
  expect(await heard(events, subscriber())).toEqual([])
})

test('only the topics that are asked for come; to ask for those of others is refused, as is what is no topic', async () => {
  await using home = await openTestHome()
  await using events = await published(home.store, ['host.connected', 'host.disconnected', 'node.started', 'hub.started'])
  const read = subscriber('read')
  const of = async (...topics: string[]) => topicsOf(await heard(events, read, { topics }))
  expect(await of('host.*')).toEqual(['1 host.connected', '2 host.disconnected'])
  expect(await of('host.disconnected', 'hub.*')).toEqual(['2 host.disconnected', '4 hub.started'])
  expect(await of('*', 'host.connected')).toHaveLength(4)
  expect(await of('host.connect')).toEqual([])
  for (const topic of ['pairing.*', 'pairing.requested'])
    await expect(of('host.*', topic)).rejects.toMatchObject({
      code: 'auth.forbidden',
      message: expect.stringContaining('"admin"'),
    })
  for (const topic of ['secret.*', 'constructor.x', '__proto__.x', 'HOST.connected', 'host', 'host.', '', '*.x', 'h'.repeat(99)])
    expect(followFleetEvents.input.safeParse({ topics: [topic] }).success, topic).toBe(false)
})

test('only the newest come where so many are asked for, unless it is said after which', async () => {
  await using home = await openTestHome()
  await using events = await published(home.store, ['host.connected', 'pairing.requested', 'run.ended', 'host.disconnected'])
  const of = async (input: { after?: number; last: number }) => topicsOf(await heard(events, subscriber('read'), input))
  expect(await of({ last: 1 })).toEqual(['4 host.disconnected'])
  expect(await of({ last: 3 })).toEqual(['3 run.ended', '4 host.disconnected'])
  expect(await of({ last: 1000 })).toHaveLength(3)
  expect(await of({ after: 2, last: 1 })).toEqual(['3 run.ended', '4 host.disconnected'])
})

test('who follows hears of what comes, in order, however slow he is', async () => {
  await using home = await openTestHome()
  await using events = openFleetEvents({ store: home.store, log })
  const leaving = new AbortController()
  const input = followFleetEvents.input.parse({ follow: true })
  const seen: number[] = []
  const reading = (async () => {
    for await (const { position } of events.follow(input, operator, leaving.signal)) {
      seen.push(position)
      if (position % 100 === 0) await new Promise((resolve) => setImmediate(resolve))
    }
  })()
  const over = reading.catch(() => undefined)
  for (let n = 0; n < 2_000; n++) {
    events.publish({ topic: 'hub.test' })
    if (n % 300 === 0) await new Promise((resolve) => setImmediate(resolve))
  }
  await eventually(() => expect(seen).toHaveLength(2_000))
  expect(seen).toEqual(seen.map((_, n) => n + 1))
  leaving.abort()
  await over
})

test('what another has written into the store as part of his own write is heard of once he rings', async () => {
  await using home = await openTestHome()
  await using events = openFleetEvents({ store: home.store, log })
  const reader = events.follow(followFleetEvents.input.parse({ follow: true }), operator, AbortSignal.timeout(60_000))
  const next = reader.next()
  await home.store.write((db) => addFleetEvents(db, [{ topic: 'approval.requested' }], 10))
  events.ring()
  expect(await next).toMatchObject({ value: { topic: 'approval.requested' } })
  await reader.return()
})

test('while the store cannot be written they wait; of those for which there is no room, how many they were is told', async () => {
  await using home = await openTestHome()
  let isFull = true
  const store: Store = {
    ...home.store,
    write: (work) => (isFull ? Promise.reject(failure('store.unavailable', { problem: 'full' })) : home.store.write(work)),
  }
  {
    await using events = openFleetEvents({ store, log })
    for (let n = 0; n < 10_007; n++) events.publish({ topic: 'hub.test', data: { n } })
    await new Promise((resolve) => setImmediate(resolve))
    isFull = false
  }
  await using events = openFleetEvents({ store, log })
  const found = await heard(events, operator)
  expect(found).toHaveLength(10_001)
  expect(found.slice(0, -1).map(({ data }) => data.n)).toEqual(Array.from({ length: 10_000 }, (_, n) => n))
  expect(found.at(-1)).toMatchObject({ topic: 'hub.events_lost', data: { events: 7 } })
})

test('one that cannot be kept at all costs the others nothing', async () => {
  await using home = await openTestHome()
  const circular: Record<string, unknown> = {}
  circular.itself = circular
  await using events = openFleetEvents({ store: home.store, log })
  events.publish({ topic: 'hub.test', data: circular as FleetEvent['data'] })
  await new Promise((resolve) => setImmediate(resolve))
  events.publish({ topic: 'hub.after' })
  await eventually(async () => expect(topicsOf(await heard(events, operator))).toEqual(['1 hub.after']))
})
