import fc from 'fast-check'
import { pino } from 'pino'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { hasCode } from '../contract/errors.ts'
import { applyEvent, type RunEvent } from '../contract/event.ts'
import { isTerminal, type Run, RunSpec } from '../contract/run.ts'
import { followRun } from './live-run.ts'
import type { RunLog } from './run-log.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

const address = { host: 'box', run: 'r' }
const silent = pino({ level: 'silent' })
const seen = { exit: { code: 0, signal: null }, pid: 7, output: { stdout: 0, stderr: 0 } }

/** A run log in memory that lets other work go on while it writes, and may fail. */
function memoryLog({ failing }: { failing: () => boolean } = { failing: () => false }) {
  const events: RunEvent[] = []
  let run: Run | undefined
  const take = (event: RunEvent) => {
    run = applyEvent(run, address, event)
    events.push(event)
    return run
  }
  const first = take({ type: 'accepted', seq: 1, at: new Date().toISOString(), kind: 'command', title: 'x', parent: null })
  const log: Pick<RunLog, 'append'> = {
    async append(_, bodies) {
      await Promise.resolve()
      if (failing()) throw new Error('the disk is full')
      const at = new Date().toISOString()
      for (const body of bodies) take({ ...body, seq: events.length + 1, at: body.at ?? at })
      return run as Run
    },
  }
  return {
    log: log as RunLog,
    first,
    events,
    states: () => events.flatMap((event) => (event.type === 'state' ? [event.state] : [])),
  }
}

const spec = (timeoutMs: number) => RunSpec.parse({ kind: 'command', argv: ['x'], timeoutMs })

test('however beginning, stopping and ending interleave, the run takes legal steps and ends once', async () => {
  const step = fc.constantFrom('began', 'cancel', 'timeout', 'end', 'pause', 'resume')
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
      const { log, first, states } = memoryLog()
      const live = followRun(first, spec(1000), undefined, log, silent)
      live.onHold(() => Promise.resolve())
      const work = steps.map(async (step) => {
        if (step === 'began') return live.began(7)
        if (step === 'pause' || step === 'resume') return void (await live[step]())
        if (step === 'end') return live.end({ state: 'succeeded', ...seen })
        await live.stop(step, 100)
      })
      for (const result of await Promise.allSettled(work)) {
        if (result.status === 'fulfilled') continue
        expect(hasCode(result.reason, 'run.ended') || hasCode(result.reason, 'run.transition')).toBe(true)
      }
      await live.end({ state: 'succeeded', ...seen })
      const terminal = states().filter(isTerminal)
      const firstStop = steps.find((step) => step === 'cancel' || step === 'timeout' || step === 'end')
      const wanted = firstStop === 'cancel' ? 'cancelled' : firstStop === 'timeout' ? 'timed_out' : 'succeeded'
      expect(terminal).toEqual([wanted])
      expect(live.over.aborted).toBe(true)
    }),
  )
})

test('a stop that was asked for before anybody could carry it out is carried out then', async () => {
  const { log, first } = memoryLog()
  const live = followRun(first, spec(1000), undefined, log, silent)
  await live.stop('cancel', 77)
  const carryOut = vi.fn()
  live.onStop(carryOut)
  expect(carryOut).toHaveBeenCalledExactlyOnceWith(77)
  live.letGo()
})

test('a run is paused while its process can be held up, once, and goes on from there', async () => {
  const { log, first, states } = memoryLog()
  const live = followRun(first, spec(1000), undefined, log, silent)
  const held: boolean[] = []
  await live.began(7)
  await expect(live.pause()).rejects.toMatchObject({ code: 'run.transition' })
  live.onHold(async (hold) => void held.push(hold))
  await Promise.all([live.pause(), live.pause()])
  const { startedAt } = live.run
  await Promise.all([live.resume(), live.resume()])
  expect(live.run.startedAt).toBe(startedAt)
  await live.pause()
  await live.stop('cancel', 100)
  await expect(live.resume()).rejects.toMatchObject({ code: 'run.transition' })
  expect(states()).toEqual(['running', 'paused', 'running', 'paused', 'stopping'])
  expect(held).toEqual([true, false, true])
  live.letGo()
})

test('a run whose process cannot be held up is not shown as paused', async () => {
  const { log, first, states } = memoryLog()
  const live = followRun(first, spec(1000), undefined, log, silent)
  await live.began(7)
  live.onHold(() => Promise.reject(new Error('not permitted')))
  await expect(live.pause()).rejects.toThrow('not permitted')
  expect(states()).toEqual(['running', 'paused', 'running'])
  live.letGo()
})

test('a paused run that is taken up again is held up again', async () => {
  const { log, first } = memoryLog()
  const before = followRun(first, spec(1000), undefined, log, silent)
  await before.began(7)
  before.onHold(() => Promise.resolve())
  const paused = await before.pause()
  before.letGo()
  const hold = vi.fn(() => Promise.resolve())
  const live = followRun(paused, spec(1000), undefined, log, silent, true)
  live.onHold(hold)
  expect(hold).toHaveBeenCalledExactlyOnceWith(true)
  live.letGo()
})

test('the timeout of a paused run counts on', async () => {
  const { log, first, states } = memoryLog()
  const live = followRun(first, spec(1000), undefined, log, silent)
  await live.began(7)
  live.onHold(() => Promise.resolve())
  await live.pause()
  await vi.advanceTimersByTimeAsync(1000)
  expect(states()).toEqual(['running', 'paused', 'stopping'])
  live.letGo()
})

test('once its process has ended, a run neither times out nor is held up, and can still be stopped', async () => {
  const { log, first, states } = memoryLog()
  const live = followRun(first, spec(1000), undefined, log, silent)
  await live.began(7)
  live.onHold(() => Promise.resolve())
  live.processEnded()
  await vi.advanceTimersByTimeAsync(5000)
  await expect(live.pause()).rejects.toMatchObject({ code: 'run.transition' })
  expect(states()).toEqual(['running'])
  const giveUp = vi.fn()
  live.onStop(giveUp)
  await live.stop('cancel', 100)
  expect(giveUp).toHaveBeenCalledOnce()
  live.letGo()
})

test('what is told with the end comes before it, at its time, and once', async () => {
  const { log, first, events } = memoryLog()
  const live = followRun(first, spec(1000), undefined, log, silent)
  const times = { startedAt: '2026-01-01T00:00:00.000Z', endedAt: '2026-01-01T00:00:01.000Z' }
  const refused = { type: 'artifact.refused', name: 'a', reason: 'no file matches it' } as const
  await Promise.all([
    live.end({ state: 'succeeded', ...seen }, times, [refused]),
    live.end({ state: 'failed', ...seen }, times, [refused]),
  ])
  expect(events.slice(1).map(({ type, at }) => [type, at])).toEqual([
    ['state', times.startedAt],
    ['artifact.refused', times.endedAt],
    ['state', times.endedAt],
  ])
})

test('the timeout counts from the start, and is tried again while it cannot be written down', async () => {
  let full = true
  const { log, first, states } = memoryLog({ failing: () => full && Date.now() >= timesOutAt })
  const timesOutAt = Date.now() + 500 + 1000
  const live = followRun(first, spec(1000), undefined, log, silent)
  await vi.advanceTimersByTimeAsync(500)
  await live.began(7)
  await vi.advanceTimersByTimeAsync(999)
  expect(states()).toEqual(['running'])
  await vi.advanceTimersByTimeAsync(1000)
  expect(states()).toEqual(['running'])
  full = false
  await vi.advanceTimersByTimeAsync(5000)
  expect(states()).toEqual(['running', 'stopping'])
  live.letGo()
})
