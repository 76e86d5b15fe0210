import { expect, test } from 'vitest'
import { eventually } from '../../../test/resources/eventually.ts'
import type { Caller } from '../../contract/caller.ts'
import type { Run } from '../../contract/run.ts'
import { tellSilence } from './silence.ts'

const quietMs = 20

/** What is said of a run that its hub tells of so, one after the other, until as much is said; `looks`: how often the hub was asked. */
function silenceOver(told: Partial<Run>[], heardAt = () => 0) {
  const said: string[] = []
  let looks = 0
  const hub = { call: async () => ({ id: 'r1', host: 'box', ...told[Math.min(looks++, told.length - 1)] }) } as unknown as Caller
  const ending = new AbortController()
  const done = tellSilence({ terminal: { say: (line) => void said.push(line) }, hub, run: 'r1', heardAt }, ending.signal, quietMs)
  return {
    said,
    looks: () => looks,
    async [Symbol.asyncDispose]() {
      ending.abort()
      await done
    },
  }
}

test('a run that has ended before its output was here is said to be waited for, once', async () => {
  await using silence = silenceOver([
    { state: 'running', unreachableSince: null },
    { state: 'succeeded', unreachableSince: null },
  ])
  await eventually(() => expect(silence.looks()).toBeGreaterThan(4))
  expect(silence.said).toEqual([expect.stringMatching(/^Run r1 has ended, and the rest of its output has not come from box yet/)])
})

test('a host that is away is said to be, and then what becomes of the run', async () => {
  const since = '2026-01-01T00:00:00.000Z'
  await using silence = silenceOver([
    { state: 'running', unreachableSince: since },
    { state: 'failed', unreachableSince: null },
  ])
  await eventually(() => expect(silence.said).toHaveLength(2))
  expect(silence.said[0]).toContain(`box has been away since ${since}`)
  expect(silence.said[1]).toContain('has ended')
})

test('while something comes the hub is not asked', async () => {
  let asked = 0
  await using silence = silenceOver([{ state: 'succeeded' }], () => {
    asked++
    return performance.now()
  })
  await eventually(() => expect(asked).toBeGreaterThan(6))
  expect(silence.looks()).toBe(0)
})
