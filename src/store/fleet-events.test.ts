import { describe, expect, test } from 'vitest'
import { engines, testStore } from '../../test/resources/stores.ts'
import type { FleetEvent, NodeEvent } from '../contract/fleet-event.ts'
import { makeBell } from './bell.ts'
import {
  addFleetEvents,
  appendFleetEvents,
  forgetNodeEvents,
  lastFleetEvent,
  type NewFleetEvent,
  nodeEventCursor,
  readFleetEvents,
  takeInNodeEvents,
} from './fleet-events.ts'
import { followKeptEvents } from './follow-fleet-events.ts'
import type { Store } from './store.ts'

const many = 1_000
const at = '2026-01-01T00:00:00.000Z'
const host = { id: 'host_1', name: 'box' }
const topics = (count: number): NewFleetEvent[] => Array.from({ length: count }, (_, n) => ({ topic: `hub.n${n}` }))
const told = (...positions: number[]): NodeEvent[] =>
  positions.map((position) => ({ position, at, topic: 'node.started', data: { position } }))

async function positionsIn(store: Store, after = 0): Promise<number[]> {
  return (await readFleetEvents(store, after, many)).map(({ position }) => position)
}

function follow(store: Store, after: number, more: { follow?: boolean; signal?: AbortSignal } = {}) {
  const { follow: goesOn = false, signal = new AbortController().signal } = more
  return followKeptEvents({ store, bell: makeBell(), gap: 'hub.gap' }, { after, follow: goesOn }, signal)
}

async function all(events: AsyncIterable<FleetEvent>): Promise<FleetEvent[]> {
  const found: FleetEvent[] = []
  for await (const event of events) found.push(event)
  return found
}

describe.each(engines)('events on %s', (engine) => {
  test('are numbered without gaps, also when many are written at once and some writes fail', async () => {
    await using store = await testStore(engine)
    const failing = () =>
      store.write(async (db) => {
        await addFleetEvents(db, topics(3), many)
        throw new Error('on purpose')
      })
    const writes = Array.from({ length: 40 }, (_, n) =>
      n % 4 === 3 ? failing().catch(() => undefined) : appendFleetEvents(store, topics(2), many),
    )
    await Promise.all(writes)
    expect(await positionsIn(store)).toEqual(Array.from({ length: 60 }, (_, n) => n + 1))
    expect(await lastFleetEvent(store)).toBe(60)
  })

  test('hold what was said of them', async () => {
    await using store = await testStore(engine)
    const data = { reason: 'it was "cut"', n: 1, list: [null, { a: true }] }
    await appendFleetEvents(store, [{ topic: 'host.disconnected', host, at, data }, { topic: 'hub.started' }], many)
    expect(await readFleetEvents(store, 0, many)).toEqual([
      { position: 1, at, topic: 'host.disconnected', host: 'host_1', name: 'box', data },
      { position: 2, at: expect.any(String), topic: 'hub.started', host: null, name: null, data: {} },
    ])
  })

  test('of a node are taken in once each, whatever is told again, and those of other hosts apart', async () => {
    await using store = await testStore(engine)
    expect(await takeInNodeEvents(store, host, told(1, 2), many)).toBe(true)
    expect(await takeInNodeEvents(store, host, told(1, 2), many)).toBe(false)
    await Promise.all([1, 2, 3].map(() => takeInNodeEvents(store, host, told(2, 3, 7), many)))
    expect(await takeInNodeEvents(store, { id: 'host_2', name: 'other' }, told(1), many)).toBe(true)
    const found = await readFleetEvents(store, 0, many)
    expect(found.map(({ host: of, data }) => `${of}:${data.position}`)).toEqual([
      'host_1:1',
      'host_1:2',
      'host_1:3',
      'host_1:7',
      'host_2:1',
    ])
    expect(await nodeEventCursor(store, 'host_1')).toBe(7)
    await forgetNodeEvents(store, 'host_1')
    expect(await nodeEventCursor(store, 'host_1')).toBe(0)
  })

  test('are kept so many, never numbered anew, and a reader is told of those that are gone', async () => {
    await using store = await testStore(engine)
    for (let n = 0; n < 5; n++) await appendFleetEvents(store, topics(10), 20)
    expect(await positionsIn(store)).toEqual(Array.from({ length: 20 }, (_, n) => n + 31))
    const [gap, first, ...rest] = await all(follow(store, 12))
    expect(gap).toMatchObject({ position: 30, topic: 'hub.gap', data: { after: 12, through: 30 } })
    expect(first).toMatchObject({ position: 31 })
    expect(rest).toHaveLength(19)
    expect((await all(follow(store, 30))).map(({ position }) => position)).toEqual(await positionsIn(store))
    await appendFleetEvents(store, topics(1), 0)
    expect(await positionsIn(store)).toEqual([])
    await appendFleetEvents(store, topics(1), 20)
    expect(await positionsIn(store)).toEqual([52])
  })

  test('a number that was never given out is refused, and not waited for', async () => {
    await using store = await testStore(engine)
    await appendFleetEvents(store, topics(3), many)
    expect(await all(follow(store, 3))).toEqual([])
    await expect(all(follow(store, 4, { follow: true }))).rejects.toMatchObject({ code: 'events.ahead' })
  })

  test('a reader who is overtaken while he follows is told where', async () => {
    await using store = await testStore(engine)
    const leaving = new AbortController()
    await appendFleetEvents(store, topics(300), many)
    const reader = follow(store, 0, { follow: true, signal: leaving.signal })
    expect((await reader.next()).value).toMatchObject({ position: 1 })
    // One page is his; what was behind it is gone when he comes for it.
    await appendFleetEvents(store, topics(300), 50)
    const seen: FleetEvent[] = []
    for await (const event of reader) {
      seen.push(event)
      if (event.position === 600) break
    }
    leaving.abort()
    expect(seen.map(({ position }) => position)).toEqual([
      ...Array.from({ length: 199 }, (_, n) => n + 2),
      ...Array.from({ length: 51 }, (_, n) => n + 550),
    ])
    expect(seen[199]).toMatchObject({ topic: 'hub.gap', data: { after: 200, through: 550 } })
  })
})
