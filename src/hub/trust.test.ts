import { expect, test } from 'vitest'
import { shutdownHost } from '../contract/host.ts'
import { applyProc, callProc, listProcs } from '../contract/proc.ts'
import { cancelRun, startRun } from '../contract/run.ts'
import { askedFor, requireTrusted } from './trust.ts'

const host = { id: 'host_1', name: 'box' }

test('what a host is not trusted with is not begun there, and the record that says so is named', () => {
  expect(() => requireTrusted({ ...host, trust: ['procs'] }, startRun)).toThrow('does not trust box with "runs"')
  expect(() => requireTrusted({ ...host, trust: [] }, applyProc)).toThrow('does not trust box with "procs"')
  requireTrusted({ ...host, trust: ['procs'] }, applyProc)
  requireTrusted({ ...host, trust: ['*'] }, applyProc)
})

test('reading and ending need no trust', () => {
  for (const operation of [cancelRun, listProcs]) requireTrusted({ ...host, trust: [] }, operation)
})

test("what is asked of a host's own proc `service` is judged as what it asks for, however deep it lies", () => {
  const service = (method: string, params: unknown) => ({ proc: 'service', method, params })
  const start = service('run.start', { run: 'r' })
  const asked = { operation: startRun, input: { run: 'r' } }
  expect(askedFor(callProc, start)).toEqual(asked)
  expect(askedFor(callProc, service('proc.call', service('proc.call', start)))).toEqual(asked)
  expect(askedFor(callProc, service('host.shutdown', {})).operation).toBe(shutdownHost)
  expect(askedFor(callProc, service('proc.call', 'no call')).operation).toBe(callProc)
  expect(askedFor(callProc, { proc: 'mine', method: 'run.start', params: {} }).operation).toBe(callProc)
  expect(askedFor(cancelRun, { run: 'r' })).toEqual({ operation: cancelRun, input: { run: 'r' } })
})

test('what this hub does not know it cannot judge, so the service of a newer host is not asked for it', () => {
  expect(() => askedFor(callProc, { proc: 'service', method: 'session.start', params: {} })).toThrow(
    expect.objectContaining({ code: 'operation.unknown' }),
  )
})
