// What is told of links, where one comes and goes without end.

import { expect, test, vi } from 'vitest'
import type { NewFleetEvent } from './fleet-events.ts'
import { tellLink } from './link-events.ts'
import { testHost } from './test-parts.ts'

test('a link that flaps without end is told of a hundred times, and then as it stands', async () => {
  vi.useFakeTimers()
  try {
    const host = testHost('box', [])
    const told: string[] = []
    const telling = tellLink(host, { publish: ({ topic }: NewFleetEvent) => void told.push(topic) })
    for (let n = 0; n < 1_000; n++) {
      host.cut()
      host.dial()
    }
    host.cut()
    expect(told).toHaveLength(100)
    expect(told.at(-1)).toBe('host.disconnected')
    host.dial()
    await vi.advanceTimersByTimeAsync(11 * 60_000)
    expect(told.slice(100)).toEqual(['host.connected'])
    for (let n = 0; n < 1_000; n++) {
      host.cut()
      host.dial()
    }
    host.cut()
    const before = told.length
    telling[Symbol.dispose]()
    expect(told.slice(before - 1)).toEqual(
      told.at(before - 1) === 'host.disconnected' ? ['host.disconnected'] : ['host.connected', 'host.disconnected'],
    )
  } finally {
    vi.useRealTimers()
  }
})

test('of what the other side gives as its reason, so much is told as fits on a screen', () => {
  const host = testHost('box', [])
  const told: NewFleetEvent[] = []
  using _telling = tellLink(host, { publish: (event: NewFleetEvent) => void told.push(event) })
  host.cut('x'.repeat(1_000_000))
  expect(told.at(-1)).toMatchObject({ topic: 'host.disconnected' })
  expect(JSON.stringify(told.at(-1)?.data).length).toBeLessThan(1_000)
})
