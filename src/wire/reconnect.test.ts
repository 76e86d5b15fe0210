import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { failure, type MusterError } from '../contract/errors.ts'
import { type Connection, keepConnected } from './reconnect.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

const broke = failure('wire.closed', { reason: 'it broke' })

function connection(): Connection & { close: (reason: MusterError) => void } {
  const closed = Promise.withResolvers<MusterError>()
  return { closed: closed.promise, close: closed.resolve }
}

test('waits are random within a bound that doubles up to the maximum', async () => {
  const waits: number[] = []
  const ending = new AbortController()
  const draws = [0, 0.5, 0.999, 0.25, 0.5, 0.5, 0.5, 0.5, 0.5]
  const kept = keepConnected({
    connect: async () => {
      throw broke
    },
    onConnected: () => {},
    onDisconnected: (_, retryMs) => {
      waits.push(retryMs)
      if (waits.length === draws.length) ending.abort()
    },
    signal: ending.signal,
    random: () => draws[waits.length] as number,
  })
  await vi.runAllTimersAsync()
  await kept
  const bounds = [500, 1000, 2000, 4000, 8000, 16_000, 20_000, 20_000, 20_000]
  expect(waits).toEqual(bounds.map((bound, at) => bound * (draws[at] as number)))
})

test('the doubling starts anew only after a connection that lasted', async () => {
  const waits: number[] = []
  const ending = new AbortController()
  let current = connection()
  const kept = keepConnected({
    connect: async () => {
      current = connection()
      return current
    },
    onConnected: () => {},
    onDisconnected: (_, retryMs) => waits.push(retryMs),
    signal: ending.signal,
    random: () => 0.5,
  })
  for (const lastedMs of [10, 29_000, 30_000, 10]) {
    await vi.advanceTimersByTimeAsync(lastedMs)
    current.close(broke)
    await vi.advanceTimersByTimeAsync(0)
    await vi.advanceTimersByTimeAsync(waits.at(-1) as number)
  }
  ending.abort()
  await kept
  expect(waits).toEqual([250, 500, 250, 500])
})

test('a final error ends it, whether it refuses a dial or ends a connection', async () => {
  const isFinal = (error: MusterError) => error.code === 'node.unknown'
  const signal = new AbortController().signal
  const refused = keepConnected({
    connect: async () => {
      throw failure('node.unknown')
    },
    onConnected: () => {},
    isFinal,
    signal,
  })
  await expect(refused).rejects.toMatchObject({ code: 'node.unknown' })

  const one = connection()
  const ended = keepConnected({
    connect: async () => one,
    onConnected: () => one.close(failure('node.unknown')),
    isFinal,
    signal,
  })
  await expect(ended).rejects.toMatchObject({ code: 'node.unknown' })
})

test('aborting closes the connection and resolves', async () => {
  const ending = new AbortController()
  const one = connection()
  const kept = keepConnected({ connect: async () => one, onConnected: () => ending.abort(), signal: ending.signal })
  await kept
  expect(await one.closed).toMatchObject({ code: 'wire.closed' })
})

test('aborting ends a wait, and a dial that succeeds after it is closed again', async () => {
  const ending = new AbortController()
  const waiting = keepConnected({
    connect: async () => {
      throw broke
    },
    onConnected: () => {},
    onDisconnected: () => setTimeout(() => ending.abort(), 1),
    signal: ending.signal,
    random: () => 0.9,
  })
  await vi.advanceTimersByTimeAsync(1)
  await waiting
  expect(vi.getTimerCount()).toBe(0)

  const late = new AbortController()
  const one = connection()
  const onConnected = vi.fn()
  const dialling = keepConnected({
    connect: async () => {
      late.abort()
      return one
    },
    onConnected,
    signal: late.signal,
  })
  await dialling
  expect(onConnected).not.toHaveBeenCalled()
  expect(await one.closed).toMatchObject({ code: 'wire.closed' })
})
