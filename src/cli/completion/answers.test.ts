import { expect, test } from 'vitest'
import { buildProgram } from '../program.ts'
import { answersFor } from './answers.ts'

const program = buildProgram(
  () => async () => {},
  () => {},
)
const words = (...typed: string[]) => {
  const found = answersFor(program, typed)
  return 'ask' in found ? found : found.answers.map(({ word }) => word)
}

test('commands, options and known values are completed where they may stand', () => {
  expect(words('wo')).toEqual(['workflow'])
  expect(words('hub', 's')).toEqual(['serve', 'start', 'stop', 'status'])
  expect(words('run', 'logs', '--st')).toEqual(['--stream'])
  expect(words('token', 'create', 'x', '--role', 'v')).toEqual(['viewer'])
  expect(words('node', 'e')).toEqual(['enroll', 'expose'])
  expect(words('completion', '')).toContain('zsh')
})

test('hosts and runs are left to be asked for', () => {
  expect(words('exec', '')).toEqual({ ask: 'host' })
  expect(words('host', 'show', 'a')).toEqual({ ask: 'host' })
  expect(words('run', 'list', '--host', '')).toEqual({ ask: 'host' })
  expect(words('run', 'logs', '-f', '')).toEqual({ ask: 'run' })
  expect(words('run', 'artifacts', '')).toEqual({ ask: 'run' })
  expect(words('run', 'artifacts', 'run_1', '--into', 'd', 'o')).toEqual({ ask: 'artifact', of: 'run_1' })
  expect(words('exec', 'a', '--art')).toEqual(['--artifact'])
  expect(words('exec', 'a', '--artifact', '')).toEqual([])
})

test('after -- and after the last argument nothing is offered', () => {
  expect(words('exec', 'local', '--', 'l')).toEqual([])
  expect(words('host', 'show', 'a', 'b')).toEqual([])
})

test('the hidden command is not offered', () => {
  expect(words('comp')).toEqual(['completion'])
})
