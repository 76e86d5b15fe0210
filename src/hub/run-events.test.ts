import { expect, test, vi } from 'vitest'
import type { JournalEntry } from '../contract/event.ts'
import type { RunState } from '../contract/run.ts'
import type { NewFleetEvent } from './fleet-events.ts'
import { tellRunEnds } from './run-events.ts'
import { testHost } from './test-parts.ts'

function entry(index: number, state: RunState): JournalEntry {
  return { position: index + 1, run: `run_${index}`, event: { type: 'state', seq: 1, at: new Date().toISOString(), state } }
}

function listening() {
  const heard: NewFleetEvent[] = []
  return { heard, events: { publish: (event: NewFleetEvent) => void heard.push(event) } }
}

test('each run that ended is told of, with how; what has not ended is not', () => {
  const { heard, events } = listening()
  using ends = tellRunEnds(testHost('box', []), events)
  ends.note([entry(1, 'running'), entry(1, 'failed'), entry(2, 'succeeded')])
  expect(heard.map(({ topic, data }) => [topic, data])).toEqual([
    ['run.ended', { run: 'run_1', state: 'failed' }],
    ['run.ended', { run: 'run_2', state: 'succeeded' }],
  ])
})

test('of a flood the first 20 are told of singly, and the rest by their number; so is what comes before the end of the link', () => {
  vi.useFakeTimers()
  try {
    const { heard, events } = listening()
    const flood = Array.from({ length: 5_000 }, (_, index) => entry(index, 'succeeded'))
    {
      using ends = tellRunEnds(testHost('box', []), events)
      ends.note(flood)
      expect(heard).toHaveLength(20)
      vi.advanceTimersByTime(1_000)
      expect(heard.at(-1)?.data).toEqual({ more: 4_980 })
      ends.note(flood.slice(0, 25))
    }
    expect(heard).toHaveLength(42)
    expect(heard.at(-1)?.data).toEqual({ more: 5 })
  } finally {
    vi.useRealTimers()
  }
})
