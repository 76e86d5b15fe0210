import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { failure } from '../contract/errors.ts'
import { Interrupted } from './leaving.ts'
import { CommandFailed } from './perform.ts'
import { reportFailure, reportOutcome } from './report.ts'
import type { Terminal } from './terminal.ts'

function listening() {
  const heard = { out: '', said: [] as string[] }
  const out = async (data: string | Uint8Array) => {
    heard.out += data.toString()
  }
  const terminal: Pick<Terminal, 'out' | 'say' | 'env'> = { out, say: (line) => void heard.said.push(line), env: {} }
  return { heard, terminal: terminal as Terminal }
}

async function directory(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'muster-report-'))
  onTestFinished(() => rm(dir, { recursive: true }))
  return dir
}

test('text for people, JSON where it was asked for', async () => {
  const people = listening()
  await reportOutcome(people.terminal, { json: { a: 1 }, text: 'one' }, {})
  expect(people.heard.out).toBe('one\n')
  const program = listening()
  await reportOutcome(program.terminal, { json: { a: 1 }, text: 'one' }, { json: true })
  expect(JSON.parse(program.heard.out)).toEqual({ a: 1 })
})

test('--output is written whole beside what is shown, and leaves no other file', async () => {
  const dir = await directory()
  const { terminal, heard } = listening()
  await reportOutcome(terminal, { json: { a: 1 }, text: 'one' }, { output: join(dir, 'r.json') })
  expect(heard.out).toBe('one\n')
  expect(await readdir(dir)).toEqual(['r.json'])
  expect(JSON.parse(await readFile(join(dir, 'r.json'), 'utf8'))).toEqual({ a: 1 })
})

test('a failure is a sentence and a hint, its exit code that of the catalogue or of the command', async () => {
  const { terminal, heard } = listening()
  const error = failure('run.unknown', { run: 'run_\x1b' })
  expect(await reportFailure(terminal, error, {})).toBe(4)
  expect(heard.said).toEqual(['There is no run run_\\x1b.', expect.stringMatching(/^hint: /)])
  expect(await reportFailure(terminal, new CommandFailed(error, 255), {})).toBe(255)
})

test('whoever leaves is told nothing more', async () => {
  const { terminal, heard } = listening()
  expect(await reportFailure(terminal, new Interrupted(), { json: true })).toBe(130)
  expect(heard).toEqual({ out: '', said: [] })
})

test('anything else that is thrown is an internal failure in one sentence', async () => {
  const { terminal, heard } = listening()
  expect(await reportFailure(terminal, new TypeError('x is not a function'), { json: true })).toBe(70)
  expect(heard.said[0]).toBe('Muster itself failed: x is not a function.')
  expect(JSON.parse(heard.out).error.code).toBe('internal')
})
