import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { startKeepalive } from './keepalive.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

const limits = { keepaliveMs: 15_000, deadMs: 45_000 }

function start(writes = { bufferedBytes: 0, takenBytes: 0 }) {
  const ping = vi.fn()
  const onDead = vi.fn()
  return { ping, onDead, writes, keepalive: startKeepalive({ limits, ping, writes, onDead }) }
}

test('a connection that is heard of is not pinged', () => {
  const { ping, onDead, keepalive } = start()
  for (let n = 0; n < 30; n++) {
    vi.advanceTimersByTime(5_000)
    keepalive.heard()
  }
  expect(ping).not.toHaveBeenCalled()
  expect(onDead).not.toHaveBeenCalled()
  keepalive.stop()
})

test('a silent one is pinged after 15 s and dead after 45 s', () => {
  const { ping, onDead, keepalive } = start()
  vi.advanceTimersByTime(15_000)
  expect(ping).toHaveBeenCalledTimes(1)
  vi.advanceTimersByTime(25_000)
  expect(onDead).not.toHaveBeenCalled()
  vi.advanceTimersByTime(5_000)
  expect(onDead).toHaveBeenCalledTimes(1)
  keepalive.stop()
})

test('one that sends but reads nothing is dead; one that reads slowly is not', () => {
  const stuck = start({ bufferedBytes: 1000, takenBytes: 0 })
  const slow = start({ bufferedBytes: 1000, takenBytes: 0 })
  for (let n = 0; n < 9; n++) {
    vi.advanceTimersByTime(5_000)
    stuck.keepalive.heard()
    slow.keepalive.heard()
    slow.writes.takenBytes += 1
  }
  expect(stuck.onDead).toHaveBeenCalledWith(expect.stringContaining('read nothing'))
  expect(slow.onDead).not.toHaveBeenCalled()
  stuck.keepalive.stop()
  slow.keepalive.stop()
})

test('time in which this process stood still does not count', () => {
  vi.useRealTimers()
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
  let now = 0
  const clock = vi.spyOn(performance, 'now').mockImplementation(() => now)
  const { onDead, keepalive } = start()
  now = 600_000
  vi.advanceTimersByTime(5_000)
  expect(onDead).not.toHaveBeenCalled()
  for (let n = 0; n < 9; n++) {
    now += 5_000
    vi.advanceTimersByTime(5_000)
  }
  expect(onDead).toHaveBeenCalled()
  keepalive.stop()
  clock.mockRestore()
})
