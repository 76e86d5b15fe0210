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
  diskWasFull: false,
})
const ending = (of: ExitRecord) => endingOf('r', of, '/home/host/runs/r')

test('code 0 succeeded; another code or a signal failed, without an error of ours', () => {
  expect(ending(record({ code: 0, signal: null })).state).toBe('succeeded')
  expect(ending(record({ code: 3, signal: null }))).toEqual({
    state: 'failed',
    exit: { code: 3, signal: null },
    pid: 7,
    output,
  })
  expect(ending(record({ code: null, signal: 'SIGSEGV' })).state).toBe('failed')
})

test('what could not be started failed with the reason', () => {
  const seen = ending({
    ...record({ code: null, signal: null }),
    notStarted: { program: 'nope', problem: 'no such program is in PATH' },
    pid: null,
  })
  expect(seen).toMatchObject({ state: 'failed', error: { code: 'run.spawn_failed' } })
  expect(seen.exit).toBeUndefined()
})

test('a run on a disk that was full says that its output may lack something, unless it never wrote and went well', () => {
  const full = (code: number, bytes: number) =>
    ending({ ...record({ code, signal: null }), output: { stdout: bytes, stderr: 0 }, diskWasFull: true })
  const told = { code: 'run.disk_full', message: expect.stringContaining('/home/host/runs/r') }
  expect(full(1, 0)).toMatchObject({ state: 'failed', error: told })
  expect(full(0, 5)).toMatchObject({ state: 'succeeded', error: told })
  expect(full(0, 0)).not.toHaveProperty('error')
})

test('a run that was asked to stop ends as what asked for it, also with code 0', () => {
  const seen = ending(record({ code: 0, signal: null }))
  expect(settle('r', spec, 'cancel', seen)).toMatchObject({ state: 'cancelled', exit: { code: 0 } })
  expect(settle('r', spec, 'timeout', seen)).toMatchObject({ state: 'timed_out', error: { code: 'run.timed_out' } })
  expect(settle('r', spec, 'cancel', lostEnding('r', output))).not.toHaveProperty('error')
})

test('what ran while the host was away was running, and with its real times', () => {
  const events = endingEvents({ state: 'starting' }, ending(record({ code: 0, signal: null })), {
    startedAt: at(1),
    endedAt: at(2),
  })
  expect(events).toMatchObject([
    { state: 'running', pid: 7, at: at(1) },
    { state: 'succeeded', at: at(2), output },
  ])
})
