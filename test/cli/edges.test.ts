// Output that cannot be written and input that does not end: told in one sentence, once.

import { spawn } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { exitCode } from '../../src/contract/errors.ts'
import { script, type TestHome, testHome } from './muster.ts'

let home: TestHome
beforeAll(async () => {
  home = await testHome()
  await home.muster(['hub', 'start', '--bind', '127.0.0.1:0'])
}, 120_000)
afterAll(() => home[Symbol.asyncDispose]())

/** With a standard output that takes nothing. */
function onFullDisk(args: readonly string[]): Promise<{ code: number | null; stderr: string }> {
  const full = openSync('/dev/full', 'w')
  const child = spawn(process.execPath, [script, ...args], {
    env: { ...process.env, MUSTER_HOME: home.dir },
    stdio: ['ignore', full, 'pipe'],
  })
  closeSync(full)
  const said: Buffer[] = []
  child.stderr?.on('data', (chunk: Buffer) => said.push(chunk))
  return new Promise((resolve) => child.once('close', (code) => resolve({ code, stderr: Buffer.concat(said).toString() })))
}

const sentence = /^standard output cannot be written: the disk is full\.\nhint: .*\n$/i

test.each([
  [['host', 'list'], exitCode.environment],
  [['host', 'list', '--json'], exitCode.environment],
  [['--help'], exitCode.environment],
  [['exec', 'local', '-n', '--', 'echo', 'hi'], 255],
  [['exec', 'local,nobody', '-n', '--', 'echo', 'hi'], 255],
])('a full disk under the output of %j is said once', async (args, code) => {
  expect(await onFullDisk(args)).toEqual({ code, stderr: expect.stringMatching(sentence) })
})

test('a workflow file that never ends is refused and not read for ever', async () => {
  const ended = await home.muster(['workflow', 'run', '/dev/zero'])
  expect(ended.stderr).toMatch(/^\/dev\/zero cannot be read: a workflow has 524288 bytes at most\./)
  expect(ended.code).toBe(exitCode.environment)
})
