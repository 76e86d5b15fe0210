// kill -9 on a host's process: its runs go on, and the next host process on the same home takes them up.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { expect, test, vi } from 'vitest'
import { callProc, getProc } from '../../src/contract/proc.ts'
import { cancelRun, getRun, writeStdin } from '../../src/contract/run.ts'
import { hostName, makeTestHome, openTestHost, program, type TestHome } from './host-fixture.ts'

const sh = (line: string) => ['/bin/sh', '-c', line]

/** A host in a process of its own, ready to be told what to start and to be killed. */
async function hostProcess(home: TestHome) {
  const child: ChildProcess = spawn(process.execPath, [program('open-host.ts'), home.dir, hostName], { stdio: ['pipe', 'pipe', 'inherit'] })
  const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream })[Symbol.asyncIterator]()
  const next = async () => (await lines.next()).value as string | undefined
  expect(await next()).toBe('open')
  const tell = async (asked: object) => {
    child.stdin?.write(`${JSON.stringify(asked)}\n`)
    return next()
  }
  return {
    tell,
    start: (run: string, spec: object) => tell({ run, spec: { kind: 'command', ...spec } }),
    /** Tells without waiting for the answer. */
    send: (run: string, spec: object) => void child.stdin?.write(`${JSON.stringify({ run, spec: { kind: 'command', ...spec } })}\n`),
    async kill() {
      child.kill('SIGKILL')
      await once(child, 'exit')
    },
    async [Symbol.asyncDispose]() {
      if (child.exitCode !== null || child.signalCode !== null) return
      child.kill('SIGKILL')
      await once(child, 'exit')
    },
  }
}

/** Waits until a file that a run writes is there. */
const appears = (file: string) => vi.waitFor(() => readFile(file, 'utf8'), { timeout: 5000 })

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

  await box.caller.upload(writeStdin, { run: 'open' }, (async function* () { yield Buffer.from('still open') })())
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
  await vi.waitUntil(() => true, 1000)
  await using box = await openTestHost(home)
  expect(await box.ended('overdue')).toMatchObject({ state: 'timed_out' })
})

test('killed at any instant: every accepted run ends, and none starts twice', async () => {
  await using home = await makeTestHome()
  const accepted: string[] = []
  const ids: string[] = []
  for (let round = 0; round < 4; round++) {
    await using killed = await hostProcess(home)
    const asked = Array.from({ length: 12 }, (_, i) => `r${round}-${i}`)
    ids.push(...asked)
    for (const run of asked) killed.send(run, { argv: sh(`echo $MUSTER_RUN >> ${home.dir}/starts; exit 5`) })
    for (let i = 0; i < round * 3 + 1; i++) accepted.push(asked[i] as string)
    for (let i = 0; i < round * 3 + 1; i++) await killed.tell({ run: asked[i], spec: { kind: 'command', argv: sh(`echo $MUSTER_RUN >> ${home.dir}/starts; exit 5`) } })
    await killed.kill()
  }
  await using box = await openTestHost(home)
  for (const run of accepted) expect(await box.ended(run), run).toMatchObject({ state: 'failed', exit: { code: 5 } })
  for (const run of ids) {
    await box.caller.call(getRun, { run }).then(() => box.ended(run), (error) => expect(error).toMatchObject({ code: 'run.unknown' }))
  }
  const starts = (await readFile(join(home.dir, 'starts'), 'utf8')).trim().split('\n')
  expect(starts.length).toBe(new Set(starts).size)
  expect(starts).toEqual(expect.arrayContaining(accepted))
})

test('a proc outlives its host and calls back to the next one', async () => {
  await using home = await makeTestHome()
  await using killed = await hostProcess(home)
  await killed.tell({ proc: 'echo', spec: { argv: [process.execPath, program('echo-proc.ts')] } })
  await vi.waitFor(() => readFile(join(home.dir, 'procs', 'echo.1', 'spawn'), 'utf8').then((text) => expect(text).toContain('pid')))
  await killed.kill()
  await using box = await openTestHost(home)
  const whoami = await box.caller.call(callProc, { proc: 'echo', method: 'whoami', params: {} }, { timeoutMs: 20_000 })
  const state = await box.caller.call(getProc, { proc: 'echo' })
  expect(state).toMatchObject({ status: 'running', generation: 1, pid: (whoami as { pid: number }).pid })
}, 30_000)
