import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import type { Caller } from '../contract/caller.ts'
import type { FleetEvent } from '../contract/fleet-event.ts'
import type { ToolFleet } from './fleet.ts'
import { type Change, watchFleet } from './watch.ts'

/** A hub of which only the events are asked: none before, then these. */
function hubOf(events: () => AsyncGenerator<Partial<FleetEvent>>): ToolFleet {
  const hub = {
    items: (_operation: unknown, { follow }: { follow?: boolean }) => (follow ? events() : (async function* () {})()),
  } as unknown as Caller
  return { hub, host: async () => hub, asker: async () => ({ id: 'me', scopes: new Set() }) }
}

test('a storm of events is told in a few words, and each host that came or went is among them', async () => {
  const hosts = 2_000
  const over = new AbortController()
  const told: Change[] = []
  async function* storm(): AsyncGenerator<Partial<FleetEvent>> {
    for (let i = 0; i < 10 * hosts; i++) {
      if (i % 500 === 0) await sleep(0)
      const topic = i % 10 === 0 ? 'host.connected' : 'run.ended'
      yield { position: i + 1, topic, name: `box-${Math.floor(i / 10)}` }
    }
    await new Promise((resolve) => over.signal.addEventListener('abort', resolve))
  }
  const watching = watchFleet(hubOf(storm), (change) => told.push(change), over.signal)
  const last = `muster://environments/box-${hosts - 1}`
  await expect.poll(() => told.some(({ uris }) => uris.includes(last)), { timeout: 30_000, interval: 20 }).toBe(true)
  over.abort()
  await watching
  const environments = new Set(told.flatMap(({ uris }) => uris).filter((uri) => uri.includes('/box-')))
  expect(environments.size).toBe(hosts)
  expect(told.length).toBeLessThan(30)
  expect(told.filter(({ list }) => list).length).toBeGreaterThan(0)
})
