// muster exec on one host, as a real process against a real hub: bytes, exit codes, leaving, repeating.

import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { type TestHome, testHome } from './muster.ts'

let home: TestHome
beforeAll(async () => {
  home = await testHome()
  const started = await home.muster(['hub', 'start', '--bind', '127.0.0.1:0'])
  expect(started.stderr).toBe('')
  expect(started.code).toBe(0)
})
afterAll(async () => {
  await home[Symbol.asyncDispose]()
})

const exec = (...args: string[]) => home.muster(['exec', 'local', ...args])

async function stateOf(run: string): Promise<string> {
  return JSON.parse((await home.muster(['run', 'show', run, '--json'])).stdout).state
}

test('standard input comes back byte for byte, megabytes of it', async () => {
  const bytes = randomBytes(3 * 1024 * 1024 + 17)
  const ended = await home.muster(['exec', 'local', '--', 'cat'], { stdin: bytes })
  expect(ended.stderr).toBe('')
  expect(ended.code).toBe(0)
  expect(ended.bytes.equals(bytes)).toBe(true)
})

test('stdout and stderr stay apart', async () => {
  const ended = await exec('-n', '--', 'sh', '-c', 'echo out; echo err >&2')
  expect(ended).toMatchObject({ stdout: 'out\n', stderr: 'err\n', code: 0 })
})

test.each([
  ['true', 0],
  ['exit 17', 17],
  ['exit 255', 255],
  ['kill -KILL $$', 137],
  ['kill -TERM $$', 143],
])('%s gives %i', async (line, code) => {
  expect((await exec('-n', '--shell', '--', line)).code).toBe(code)
})

test("a program that is not there is Muster's failure: 255, a sentence and a hint", async () => {
  const ended = await exec('-n', '--', 'no-such-program-anywhere')
  expect(ended.code).toBe(255)
  expect(ended.stderr).toMatch(/no-such-program-anywhere could not be started[\s\S]*hint: /)
})

test('a host that is not known is 255', async () => {
  const ended = await home.muster(['exec', 'nowhere', '--', 'true'])
  expect(ended.code).toBe(255)
  expect(ended.stderr).toMatch(/There is no host nowhere\.\nhint: /)
})

test('variables, working directory and the shell are as asked for', async () => {
  const ended = await home.muster(
    [
      'exec',
      'local',
      '-n',
      '--env',
      'A=x y',
      '--env',
      'MUSTER_TEST_OWN',
      '--cwd',
      '/',
      '--shell',
      '--',
      'echo "$A" $MUSTER_TEST_OWN; pwd',
    ],
    { env: { MUSTER_TEST_OWN: 'mine' } },
  )
  expect(ended.stdout).toBe('x y mine\n/\n')
})

test('an argument is never read by a shell', async () => {
  expect((await exec('-n', '--', 'printf', '%s', '$(id); *')).stdout).toBe('$(id); *')
})

test('a command that closes its input early ends as it would here', async () => {
  const ended = await home.muster(['exec', 'local', '--', 'head', '-c', '5'], { stdin: Buffer.alloc(2_000_000, 'x') })
  expect(ended).toMatchObject({ stdout: 'xxxxx', stderr: '', code: 0 })
})

test('at its timeout a command is stopped, and that is said', async () => {
  const ended = await exec('-n', '--timeout', '300ms', '--', 'sleep', '60')
  expect(ended.code).toBe(143)
  expect(ended.stderr).toMatch(/stopped at its timeout/)
})

test('--detach prints the id alone; the same key is the same run, with another command a conflict', async () => {
  const once = await exec('--detach', '--run-key', 'deploy-1', '--', 'sh', '-c', 'echo once')
  const again = await exec('--detach', '--run-key', 'deploy-1', '--', 'sh', '-c', 'echo once')
  expect(once.stdout).toMatch(/^run_\w+\n$/)
  expect(again.stdout).toBe(once.stdout)
  const other = await exec('--detach', '--run-key', 'deploy-1', '--', 'sh', '-c', 'echo twice')
  expect(other).toMatchObject({ code: 255, stdout: '' })
  expect(other.stderr).toMatch(/with another spec/)
  const run = once.stdout.trim()
  await vi.waitFor(async () => expect(await stateOf(run)).toBe('succeeded'), 30_000)
  expect((await home.muster(['run', 'logs', run])).stdout).toBe('once\n')
})

test('Ctrl-C leaves with 130, says how to come back, and the run goes on', async () => {
  const running = home.start(['exec', 'local', '-n', '--', 'sh', '-c', 'echo begun; sleep 60'])
  await vi.waitFor(() => expect(running.stdout()).toBe('begun\n'), 30_000)
  running.child.kill('SIGINT')
  const ended = await running.ended
  expect(ended.code).toBe(130)
  const run = /muster run logs -f (run_\w+)/.exec(ended.stderr)?.[1] ?? ''
  expect(ended.stderr).toContain(`muster run cancel ${run}`)
  expect(await stateOf(run)).toBe('running')
  expect((await home.muster(['run', 'cancel', run, '--grace', '1s'])).code).toBe(0)
  await vi.waitFor(async () => expect(await stateOf(run)).toBe('cancelled'), 30_000)
  const twice = await home.muster(['run', 'cancel', run])
  expect(twice.code).toBe(5)
  expect(twice.stderr).toMatch(/has already ended/)
})

test('when the reader of its output goes away, a command ends as in a pipe, quietly', async () => {
  const running = home.start(['exec', 'local', '-n', '--', 'yes', 'a-mark-of-this-test'])
  await vi.waitFor(() => expect(running.stdout().length).toBeGreaterThan(0), 30_000)
  running.child.stdout.destroy()
  expect(await running.ended).toMatchObject({ code: 141, stderr: '' })
  const { runs } = JSON.parse((await home.muster(['run', 'list', '--json'])).stdout)
  const run = runs.find(({ title }: { title: string }) => title.includes('a-mark-of-this-test'))
  await vi.waitFor(async () => expect(await stateOf(run.id)).toBe('cancelled'), 30_000)
})

test('a slow reader loses nothing', async () => {
  const running = home.start(['exec', 'local', '-n', '--', 'seq', '1', '300000'])
  running.child.stdout.pause()
  await new Promise((resolve) => {
    setTimeout(resolve, 500)
  })
  running.child.stdout.resume()
  const { stdout, code } = await running.ended
  expect(code).toBe(0)
  expect(stdout).toBe(`${Array.from({ length: 300_000 }, (_, i) => i + 1).join('\n')}\n`)
})

test('--json holds state, exit and output; --output keeps it beside what passes through', async () => {
  const json = JSON.parse((await exec('-n', '--json', '--', 'sh', '-c', 'echo out; echo err >&2; exit 3')).stdout)
  expect(json).toEqual({
    runs: [
      expect.objectContaining({
        host: 'local',
        run: expect.stringMatching(/^run_/),
        state: 'failed',
        exit: { code: 3, signal: null },
        stdout: 'out\n',
        stdoutBytes: 4,
        stderr: 'err\n',
        stderrBytes: 4,
      }),
    ],
  })
  const file = join(home.dir, 'exec.json')
  const ended = await exec('-n', '--output', file, '--', 'echo', 'through')
  expect(ended.stdout).toBe('through\n')
  expect(JSON.parse(await readFile(file, 'utf8')).runs[0]).toMatchObject({ stdout: 'through\n', state: 'succeeded' })
})

test.each(['SIGTERM', 'SIGKILL'] as const)(
  'a hub that gets %s and is started again in the middle costs its readers nothing',
  async (signal) => {
    await using own = await testHome()
    await own.muster(['hub', 'start', '--bind', '127.0.0.1:0'])
    const { pid } = JSON.parse((await own.muster(['hub', 'status', '--json'])).stdout)
    const running = own.start([
      'exec',
      'local',
      '-n',
      '--shell',
      '--',
      'for i in $(seq 30); do echo $i; echo e$i >&2; sleep 0.1; done; exit 7',
    ])
    await vi.waitFor(() => expect(running.stdout()).toContain('3\n'), 30_000)
    process.kill(pid, signal)
    await vi.waitFor(async () => expect((await own.muster(['hub', 'status'])).code).toBe(6), 30_000)
    expect((await own.muster(['hub', 'start', '--bind', '127.0.0.1:0'])).code).toBe(0)
    const numbers = Array.from({ length: 30 }, (_, i) => i + 1)
    expect(await running.ended).toMatchObject({
      code: 7,
      stdout: numbers.map((i) => `${i}\n`).join(''),
      stderr: numbers.map((i) => `e${i}\n`).join(''),
    })
  },
)
