import fc from 'fast-check'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { climb, rungsFor, type StopStep } from './stop-ladder.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

function start(options: { canAsk: boolean; graceMs: number }, endsAtMs: number) {
  const ended = new AbortController()
  const steps: { step: StopStep; atMs: number }[] = []
  const began = Date.now()
  setTimeout(() => ended.abort(), endsAtMs)
  const climbing = climb({
    rungs: rungsFor(options),
    take: async (step) => void steps.push({ step, atMs: Date.now() - began }),
    onFailed: (_, error) => {
      throw error
    },
    over: ended.signal,
  })
  return { steps, climbing }
}

test('a process that ignores everything is killed when the grace is over', async () => {
  const { steps, climbing } = start({ canAsk: true, graceMs: 1000 }, 10_000)
  await vi.advanceTimersByTimeAsync(5000)
  await climbing
  expect(steps).toEqual([
    { step: 'ask', atMs: 0 },
    { step: 'SIGTERM', atMs: 500 },
    { step: 'SIGKILL', atMs: 1000 },
  ])
})

test('no grace is SIGKILL at once', () => {
  expect(rungsFor({ canAsk: true, graceMs: 0 })).toEqual([{ step: 'SIGKILL', waitMs: 0 }])
})

test('a step that fails does not keep the next from coming', async () => {
  const failed: StopStep[] = []
  const taken: StopStep[] = []
  const climbing = climb({
    rungs: rungsFor({ canAsk: true, graceMs: 100 }),
    take: async (step) => {
      taken.push(step)
      if (step === 'ask') throw new Error('the channel is gone')
    },
    onFailed: (step) => void failed.push(step),
    over: new AbortController().signal,
  })
  await vi.advanceTimersByTimeAsync(200)
  await climbing
  expect({ failed, taken }).toEqual({ failed: ['ask'], taken: ['ask', 'SIGTERM', 'SIGKILL'] })
})

test('whenever it ends, no step is taken afterwards, and the killing never comes before the grace is over', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.boolean(),
      fc.integer({ min: 1, max: 5000 }),
      fc.integer({ min: 1, max: 9000 }),
      async (canAsk, graceMs, endsAtMs) => {
        const { steps, climbing } = start({ canAsk, graceMs }, endsAtMs)
        await vi.advanceTimersByTimeAsync(20_000)
        await climbing
        expect(steps.every(({ atMs }) => atMs <= endsAtMs)).toBe(true)
        const kill = steps.find(({ step }) => step === 'SIGKILL')
        expect(kill === undefined || kill.atMs >= graceMs).toBe(true)
        if (endsAtMs > graceMs) expect(kill).toBeDefined()
      },
    ),
  )
})
