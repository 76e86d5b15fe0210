import { expect, test } from 'vitest'
import { RunSpec } from '../contract/run.ts'
import { endingEvents, endingOf, lostEnding, settle } from './ending.ts'
import type { ExitRecord } from './keeper/exit-record.ts'

const at = (second: number) => new Date(second * 1000).toISOString()
const output = { stdout: 5, stderr: 0 }
const spec = RunSpec.parse({ kind: 'command', argv: ['x'], timeoutMs: 1500 })
const record = (exit: ExitRecord['exit']): ExitRecord => ({
  exit,
  notStarted: null,
  pid: 7,
  startedAt: at(1),
  endedAt: at(2),
  output,
})

test('code 0 succeeded; another code or a signal failed, without an error of ours', () => {
  expect(endingOf(record({ code: 0, signal: null })).state).toBe('succeeded')
  expect(endingOf(record({ code: 3, signal: null }))).toEqual({
    state: 'failed',
    exit: { code: 3, signal: null },
    pid: 7,
    output,
  })
  expect(endingOf(record({ code: null, signal: 'SIGSEGV' })).state).toBe('failed')
})

test('what could not be started failed with the reason', () => {
  const ending = endingOf({
    ...record({ code: null, signal: null }),
    notStarted: { program: 'nope', problem: 'no such program is in PATH' },
    pid: null,
  })
  expect(ending).toMatchObject({ state: 'failed', error: { code: 'run.spawn_failed' } })
  expect(ending.exit).toBeUndefined()
})

test('a run that was asked to stop ends as what asked for it, also with code 0', () => {
  const seen = endingOf(record({ code: 0, signal: null }))
  expect(settle('r', spec, 'cancel', seen)).toMatchObject({ state: 'cancelled', exit: { code: 0 } })
  expect(settle('r', spec, 'timeout', seen)).toMatchObject({ state: 'timed_out', error: { code: 'run.timed_out' } })
  expect(settle('r', spec, 'cancel', lostEnding('r', output))).not.toHaveProperty('error')
})

test('what ran while the host was away was running, and with its real times', () => {
  const events = endingEvents({ state: 'starting' }, endingOf(record({ code: 0, signal: null })), {
    startedAt: at(1),
    endedAt: at(2),
  })
  expect(events).toMatchObject([
    { state: 'running', pid: 7, at: at(1) },
    { state: 'succeeded', at: at(2), output },
  ])
})
