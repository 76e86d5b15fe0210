// muster invoke and muster host commands, as real processes against a real hub.

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { identify } from '../../src/host/process-identity.ts'
import { type TestHome, testHome } from './muster.ts'

let home: TestHome
beforeAll(async () => {
  home = await testHome()
  expect(await home.muster(['hub', 'start', '--bind', '127.0.0.1:0'])).toMatchObject({ code: 0, stderr: '' })
})
afterAll(() => home[Symbol.asyncDispose]())

const params = (line: string) => JSON.stringify({ argv: ['/bin/sh', '-c', line] })

test('the result is JSON on standard output, what the program writes comes on standard error', async () => {
  const ended = await home.muster(['invoke', 'local', 'exec', params('echo out; echo err >&2; exit 3')])
  expect(ended.code).toBe(0)
  expect(JSON.parse(ended.stdout)).toMatchObject({ code: 3, stdout: 'out\n', stderr: 'err\n' })
  expect(ended.stderr.split('\n').toSorted()).toEqual(['', 'err', 'out'])
})

test('with --json it is told of which host and command', async () => {
  const { stdout } = await home.muster(['invoke', 'local', 'system.info', '--json'])
  expect(JSON.parse(stdout)).toMatchObject({ host: 'local', command: 'system.info', result: { cores: expect.any(Number) } })
})

test('nothing that a program writes steers the terminal', async () => {
  const { stderr } = await home.muster(['invoke', 'local', 'exec', params("printf 'a\\033[2Jb\\tc\\n'")])
  expect(stderr).toBe('a\\x1b[2Jb\tc\n')
})

test('parameters come as a word, from a file, or from standard input', async () => {
  const file = join(home.dir, 'params.json')
  await writeFile(file, params('echo from a file'))
  const stdout = async (args: string[], stdin?: string) =>
    JSON.parse((await home.muster(['invoke', 'local', 'exec', ...args], stdin === undefined ? {} : { stdin })).stdout).stdout
  expect(await stdout([params('echo as a word')])).toBe('as a word\n')
  expect(await stdout([`@${file}`])).toBe('from a file\n')
  expect(await stdout(['--params-stdin'], params('echo from stdin'))).toBe('from stdin\n')
})

test.each([
  [['invoke'], /A host and a command are wanted/],
  [['invoke', 'local'], /A host and a command are wanted/],
  [['invoke', 'local', 'exec', '{', '}'], /more words/],
  [['invoke', 'local', 'exec', '{'], /PARAMS is not JSON/],
  [['invoke', 'local', 'exec', '[]'], /PARAMS is no JSON object/],
  [['invoke', 'local', 'exec', '@/no/such/file'], /\/no\/such\/file cannot be read/],
  [['invoke', 'local', 'Exec'], /The command "Exec" is not valid/],
  [['invoke', '--label', '=', 'exec'], /The label "=" is not valid/],
  [['invoke', 'local', 'exec', '{}'], /what exec was given is not valid: it must have required property 'argv'/],
  [['invoke', 'local', 'no.such'], /The host does not allow its hub "no\.such"/],
  [['invoke', '--label', 'tier=none', 'exec'], /No host is chosen by tier=none/],
  [['host', 'commands', 'local', 'no.such'], /local exposes no command no\.such/],
])('%j is told what is wrong and what to do', async (args, problem) => {
  const ended = await home.muster(args)
  expect(ended.stderr).toMatch(problem)
  expect(ended.stderr).toMatch(/\nhint: ./)
  expect(ended.code).toBeGreaterThan(1)
  expect(ended.stdout).toBe('')
})

test('several hosts: equal results once, under their names, progress with the name before it', async () => {
  const ended = await home.muster(['invoke', 'local,local', 'exec', params('echo hi')])
  expect(ended.code).toBe(0)
  expect(ended.stdout).toMatch(/^== local \(1 host\)\n\{/)
  expect(ended.stderr).toBe('local | hi\n')
})

test('the catalog is a table, and each command can be looked at', async () => {
  const list = await home.muster(['host', 'commands', 'local'])
  expect(list.stdout).toMatch(/^NAME +EXPOSED +FROM +DESCRIPTION\nexec +yes +builtin/)
  expect(list.stdout).toMatch(/\nshell +asks a person +builtin/)
  expect(list.stdout).not.toContain('fleet.')
  const one = await home.muster(['host', 'commands', 'local', 'exec'])
  expect(one.stdout).toMatch(/"argv"/)
})

test('Ctrl-C ends the program, and says so', async () => {
  const running = home.start(['invoke', 'local', 'exec', params('echo $$; exec sleep 600')])
  const pid = await vi.waitUntil(() => /^(\d+)\n/.exec(running.stderr())?.[1], 30_000)
  running.child.kill('SIGINT')
  expect(await running.ended).toMatchObject({ code: 130, stderr: expect.stringContaining('Cancelled: exec on local is ended.') })
  await vi.waitUntil(async () => (await identify(Number(pid))) === undefined, 30_000)
})
