import { expect, test } from 'vitest'
import { applyProc, listProcs } from '../contract/proc.ts'
import { cancelRun, startRun } from '../contract/run.ts'
import { requireTrusted } from './trust.ts'

const host = { id: 'host_1', name: 'box' }

test('what a host is not trusted with is not begun there, and the record that says so is named', () => {
  expect(() => requireTrusted({ ...host, trust: ['procs'] }, startRun)).toThrow('does not trust box with "runs"')
  expect(() => requireTrusted({ ...host, trust: [] }, applyProc)).toThrow('does not trust box with "procs"')
  requireTrusted({ ...host, trust: ['procs'] }, applyProc)
})

test('reading and ending need no trust', () => {
  for (const operation of [cancelRun, listProcs]) requireTrusted({ ...host, trust: [] }, operation)
})
