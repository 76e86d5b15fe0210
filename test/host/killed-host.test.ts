// kill -9 on a host's process: its runs go on, and the next host process on the same home takes them up.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { expect, test, vi } from 'vitest'
import type { Crashpoint } from '../../src/contract/crashpoint.ts'
import { hasCode } from '../../src/contract/errors.ts'
import { applyProc, callProc, getProc } from '../../src/contract/proc.ts'
import { cancelRun, getRun, writeStdin } from '../../src/contract/run.ts'
import { eventually } from '../resources/eventually.ts'
import { hostName, makeTestHome, openTestHost, program, type TestHome } from './host-fixture.ts'

const sh = (line: string) => ['/bin/sh', '-c', line]

/** A host in a process of its own, ready to be told what to start and to be killed. */
async function hostProcess(home: TestHome, crashpoint?: Crashpoint) {
  const child: ChildProcess = spawn(process.execPath, [program('open-host.ts'), home.dir, hostName], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, ...(crashpoint && { MUSTER_CRASHPOINT: crashpoint }) },
  })
  // A write to one that is just being killed.
  child.stdin?.on('error', () => {})
  const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream })[Symbol.asyncIterator]()
  const next = async () => (await lines.next()).value as string | undefined
  expect(await next()).toBe('open')
  const tell = async (asked: object) => {
    child.stdin?.write(`${JSON.stringify(asked)}\n`)
    return next()
  }
  const kill = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGKILL')
    await once(child, 'exit')
  }
  return {
    tell,
    next,
    start: (run: string, spec: object) => tell({ run, spec: { kind: 'command', ...spec } }),
    /** Tells without waiting for the answer. */
    send: (run: string, spec: object) =>
      void child.stdin?.write(`${JSON.stringify({ run, spec: { kind: 'command', ...spec } })}\n`),
    kill,
    [Symbol.asyncDispose]: kill,
  }
}

async function startOf(home: TestHome, run: string): Promise<{ startedAt: number }> {
  const { claimedAt } = JSON.parse(await readFile(join(home.dir, 'runs', run, 'spawn'), 'utf8')) as { claimedAt: string }
  return { startedAt: Date.parse(claimedAt) }
}

/** Waits until a file that a run writes is there. */
const appears = (file: string) => vi.waitFor(() => readFile(file, 'utf8'), { timeout: 30_000 })

test('live runs are followed again, and what ended meanwhile is reported with its own exit and times', async () => {
  await using home = await makeTestHome()
  await using killed = await hostProcess(home)
  const gate = join(home.dir, 'gate')
  const waiting = `while ! test -e ${gate}; do sleep 0.05; done`
  await killed.start('meanwhile', { argv: sh(`echo on > ${home.dir}/m; ${waiting}; echo bye; exit 7`) })
  await killed.start('later', { argv: sh(`echo on > ${home.dir}/l; ${waiting}; sleep 1.5; echo late; exit 4`) })
  await killed.start('open', { argv: ['cat'], stdin: 'open' })
  await killed.start('long', { argv: ['sleep', '600'] })
  await Promise.all([appears(join(home.dir, 'm')), appears(join(home.dir, 'l'))])
  await killed.kill()
  await writeFile(gate, '')
  await appears(join(home.dir, 'runs', 'meanwhile', 'exit'))
  const endedBefore = Date.now()

  await using box = await openTestHost(home)
  const meanwhile = await box.ended('meanwhile')
  expect(meanwhile).toMatchObject({ state: 'failed', exit: { code: 7, signal: null }, output: { stdout: 4 } })
  expect(Date.parse(meanwhile.endedAt as string)).toBeLessThanOrEqual(endedBefore)
  expect((await box.output('meanwhile')).toString()).toBe('bye\n')
  expect(await box.ended('later')).toMatchObject({ state: 'failed', exit: { code: 4 } })
  expect((await box.output('later')).toString()).toBe('late\n')

  await box.caller.upload(
    writeStdin,
    { run: 'open' },
    (async function* () {
      yield Buffer.from('still open')
    })(),
  )
  expect((await box.output('open')).toString()).toBe('still open')
  await box.caller.call(cancelRun, { run: 'long' })
  expect(await box.ended('long')).toMatchObject({ state: 'cancelled', exit: { signal: 'SIGTERM' } })
})

test('a timeout that passed while the host was away is carried out at once', async () => {
  await using home = await makeTestHome()
  await using killed = await hostProcess(home)
  await killed.start('overdue', { argv: sh(`echo on > ${home.dir}/o; sleep 600`), timeoutMs: 1000 })
  await appears(join(home.dir, 'o'))
  await killed.kill()
  const { startedAt } = await startOf(home, 'overdue')
  await vi.waitUntil(() => Date.now() > startedAt + 1000, 30_000)
  await using box = await openTestHost(home)
  expect(await box.ended('overdue')).toMatchObject({ state: 'timed_out' })
})

test('killed at any instant: every accepted run ends, and none starts twice', async () => {
  await using home = await makeTestHome()
  const starts = join(home.dir, 'starts')
  const spec = { argv: sh(`echo $MUSTER_RUN >> ${starts}; exit 5`) }
  const asked: string[] = []
  const accepted: string[] = []
  for (let round = 0; round < 6; round++) {
    await using killed = await hostProcess(home)
    const ids = Array.from({ length: 12 }, (_, i) => `r${round}-${i}`)
    asked.push(...ids)
    for (const run of ids) killed.send(run, spec)
    // Each round gets a little further before it is killed.
    for (let i = 0; i < round * 2; i++) accepted.push(((await killed.next()) as string).replace('accepted ', ''))
    await killed.kill()
  }
  await using box = await openTestHost(home)
  const known = await Promise.all(
    asked.map((run) =>
      box.caller.call(getRun, { run }).then(
        () => run,
        (error: unknown) => {
          if (hasCode(error, 'run.unknown')) return undefined
          throw error
        },
      ),
    ),
  )
  const kept = known.filter((run) => run !== undefined)
  expect(kept).toEqual(expect.arrayContaining(accepted))
  for (const run of kept) expect(await box.ended(run), run).toMatchObject({ state: 'failed', exit: { code: 5 } })
  expect((await readFile(starts, 'utf8')).trim().split('\n').toSorted()).toEqual(kept.toSorted())
})

test.each(['accept.after-commit', 'spawn.after-spawn'] as const)(
  'killed at %s, the run is started once and ends',
  async (crashpoint) => {
    await using home = await makeTestHome()
    await using killed = await hostProcess(home, crashpoint)
    const starts = join(home.dir, 'starts')
    await killed.start('once', { argv: sh(`echo on >> ${starts}; sleep 0.2; exit 5`) })
    await killed.kill()
    await using box = await openTestHost(home)
    expect(await box.ended('once')).toMatchObject({ state: 'failed', exit: { code: 5 }, startedAt: expect.any(String) })
    expect(await readFile(starts, 'utf8')).toBe('on\n')
  },
)

test('a proc outlives its host and calls back to the next one', async () => {
  await using home = await makeTestHome()
  await using killed = await hostProcess(home)
  await killed.tell({ proc: 'echo', spec: { argv: [process.execPath, program('echo-proc.ts')] } })
  await eventually(() =>
    readFile(join(home.dir, 'procs', 'echo.1', 'spawn'), 'utf8').then((text) => expect(text).toContain('pid')),
  )
  await killed.kill()
  await using box = await openTestHost(home)
  const whoami = await box.caller.call(callProc, { proc: 'echo', method: 'whoami', params: {} }, { timeoutMs: 60_000 })
  const state = await box.caller.call(getProc, { proc: 'echo' })
  expect(state).toMatchObject({ status: 'running', generation: 1, pid: (whoami as { pid: number }).pid })
}, 120_000)

test('a proc is back within seconds of each of many restarts of its host', async () => {
  await using home = await makeTestHome()
  const spec = { argv: [process.execPath, program('echo-proc.ts')] }
  for (let life = 1; life <= 8; life++) {
    await using box = await openTestHost(home)
    if (life === 1) await box.caller.call(applyProc, { proc: 'echo', spec })
    expect(await box.caller.call(callProc, { proc: 'echo', method: 'echo', params: life }, { timeoutMs: 20_000 })).toBe(life)
  }
}, 120_000)
