import { expect, test } from 'vitest'
import type { Run } from '../../contract/run.ts'
import { capture, runResult } from './capture.ts'

const run = { id: 'run_1', host: 'local', state: 'succeeded', exit: { code: 0, signal: null }, error: null } as Run

async function resultOf(stdout: Uint8Array): Promise<Record<string, unknown>> {
  const output = { stdout: capture(), stderr: capture() }
  await output.stdout.sink(stdout)
  return runResult(run, output)
}

test('text is kept as text, other bytes as base64', async () => {
  expect(await resultOf(Buffer.from('héllo'))).toMatchObject({ stdout: 'héllo', stdoutBytes: 6, stderr: '', stderrBytes: 0 })
  const binary = await resultOf(Buffer.of(0xff, 0xfe))
  expect(binary).toMatchObject({ stdoutBase64: '//4=', stdoutBytes: 2 })
  expect(binary).not.toHaveProperty('stdout')
})

test('output past the bound is counted, and the cut leaves no half character', async () => {
  const result = await resultOf(Buffer.from('é'.repeat(600_000).padStart(600_001, 'x')))
  expect(result).toMatchObject({ stdoutBytes: 1_200_001, stdoutCut: true })
  expect(result['stdout']).toMatch(/^xé+$/)
})

test('what is passed on is whole, kept or not', async () => {
  const passed: Uint8Array[] = []
  const one = capture(async (data) => void passed.push(Buffer.from(data)), false)
  await one.sink(Buffer.from('abc'))
  expect(Buffer.concat(passed).toString()).toBe('abc')
  expect(one.kept()).toEqual({ bytes: Buffer.alloc(0), total: 3 })
})
