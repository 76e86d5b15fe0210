// What a run keeps when the host is killed, closed, or not there while its files are collected: told once, with the end, and whole.

import { type ChildProcess, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createReadStream } from 'node:fs'
import { mkdir, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { expect, test } from 'vitest'
import { listArtifacts, readArtifact } from '../../src/contract/artifact.ts'
import type { Crashpoint } from '../../src/contract/crashpoint.ts'
import { followEvents } from '../../src/contract/event.ts'
import { cancelRun, getRun, pauseRun } from '../../src/contract/run.ts'
import { eventually } from '../resources/eventually.ts'
import { hostName, makeTestHome, openTestHost, program, type TestHome, type TestHost } from './host-fixture.ts'

const sh = (line: string) => ['/bin/sh', '-c', line]
const large = 256 * 1024 * 1024

/** A host in a process of its own, which has accepted this run. */
async function killableHost(home: TestHome, run: string, spec: object, crashpoint?: Crashpoint) {
  const child: ChildProcess = spawn(process.execPath, [program('open-host.ts'), home.dir, hostName], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, ...(crashpoint && { MUSTER_CRASHPOINT: crashpoint }) },
  })
  const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream })[Symbol.asyncIterator]()
  expect((await lines.next()).value).toBe('open')
  child.stdin?.write(`${JSON.stringify({ run, spec: { kind: 'command', ...spec } })}\n`)
  const exited = once(child, 'exit')
  return {
    exited,
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL')
      await exited
    },
    kill: async () => {
      child.kill('SIGKILL')
      await exited
    },
  }
}

async function workIn(home: TestHome): Promise<string> {
  const cwd = join(home.dir, 'work')
  await mkdir(cwd)
  return cwd
}

const keptIn = (home: TestHome, run: string) => readdir(join(home.dir, 'runs', run, 'artifacts'))

/** What is told of artifacts in the run's events, and that it is told right before the end. */
async function toldOf({ caller }: TestHost, run: string): Promise<string[]> {
  const events = []
  for await (const event of caller.items(followEvents, { run, follow: true })) events.push(event)
  expect(events.map(({ seq }) => seq)).toEqual(events.map((_, at) => at + 1))
  const told = events.flatMap((event) => ('name' in event ? [`${event.type} ${event.name}`] : []))
  expect(events.slice(-told.length - 1, -1).every(({ type }) => type.startsWith('artifact.'))).toBe(true)
  return told
}

async function digestOf({ caller }: TestHost, run: string, name: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const piece of caller.bytes(readArtifact, { run, name })) hash.update(piece)
  return hash.digest('hex')
}

for (const crashpoint of ['artifact.after-copy', 'artifacts.before-end'] as const) {
  test(`a host that is killed at ${crashpoint} collects again, and tells each once`, async () => {
    await using home = await makeTestHome()
    const cwd = await workIn(home)
    const spec = { argv: sh('echo a > a; echo b > b; exit 5'), cwd, artifacts: ['?', 'none'] }
    await using killed = await killableHost(home, 'r', spec, crashpoint)
    expect(await killed.exited).toEqual([null, 'SIGKILL'])
    await using box = await openTestHost(home)
    expect(await box.ended('r')).toMatchObject({ state: 'failed', exit: { code: 5 } })
    expect(await toldOf(box, 'r')).toEqual(['artifact.kept a', 'artifact.kept b', 'artifact.refused none'])
    expect(await digestOf(box, 'r', 'b')).toBe(createHash('sha256').update('b\n').digest('hex'))
    expect(await keptIn(home, 'r')).toHaveLength(2)
  })
}

test('a host that is killed in the middle of a large file collects it again, whole', { timeout: 120_000 }, async () => {
  await using home = await makeTestHome()
  const cwd = await workIn(home)
  const line = `truncate -s ${large} large; echo end >> large; echo s > small`
  await using killed = await killableHost(home, 'r', { argv: sh(line), cwd, artifacts: ['*'] })
  await eventually(async () => expect(await keptIn(home, 'r')).toContain('copying'))
  await killed.kill()
  expect(await keptIn(home, 'r')).toContain('copying')

  await using box = await openTestHost(home)
  expect(await box.ended('r')).toMatchObject({ state: 'succeeded', exit: { code: 0 } })
  expect(await toldOf(box, 'r')).toEqual(['artifact.kept large', 'artifact.kept small'])
  const { artifacts } = await box.caller.call(listArtifacts, { run: 'r' })
  expect(artifacts[0]).toMatchObject({ bytes: large + 4, here: true })
  const truth = createHash('sha256')
  for await (const piece of createReadStream(join(cwd, 'large'))) truth.update(piece)
  expect(artifacts[0]?.sha256).toBe(truth.digest('hex'))
  expect(await digestOf(box, 'r', 'large')).toBe(artifacts[0]?.sha256)
  expect((await keptIn(home, 'r')).toSorted()).toEqual(artifacts.map(({ sha256 }) => sha256).toSorted())
})

test('a run that is cancelled while its files are collected ends soon, keeps its exit, and says what was given up', {
  timeout: 120_000,
}, async () => {
  await using home = await makeTestHome()
  const cwd = await workIn(home)
  await using box = await openTestHost(home)
  await box.start('r', { argv: sh(`truncate -s ${8 * large} large; echo first > first; exit 3`), cwd, artifacts: ['*'] })
  await eventually(async () => expect(await keptIn(home, 'r')).toContain('copying'))
  await eventually(async () => expect(await keptIn(home, 'r')).toHaveLength(2))
  expect((await box.caller.call(getRun, { run: 'r' })).state).toBe('running')
  await expect(box.caller.call(pauseRun, { run: 'r' })).rejects.toMatchObject({ code: 'run.transition' })
  await box.caller.call(cancelRun, { run: 'r' })
  expect(await box.ended('r')).toMatchObject({ state: 'cancelled', exit: { code: 3, signal: null } })
  const { artifacts, refused } = await box.caller.call(listArtifacts, { run: 'r' })
  expect(artifacts.map(({ name }) => name)).toEqual(['first'])
  expect(refused).toEqual([{ name: 'large', reason: 'the run was asked to stop meanwhile' }])
})

test('a host that is closed while files are collected lets go, and the next one tells of all', { timeout: 120_000 }, async () => {
  await using home = await makeTestHome()
  const cwd = await workIn(home)
  {
    await using box = await openTestHost(home)
    await box.start('r', { argv: sh(`truncate -s ${large} large; echo a > a`), cwd, artifacts: ['*'] })
    await eventually(async () => expect(await keptIn(home, 'r')).toContain('copying'))
  }
  await using box = await openTestHost(home)
  expect((await box.ended('r')).state).toBe('succeeded')
  expect(await toldOf(box, 'r')).toEqual(['artifact.kept a', 'artifact.kept large'])
})

test('a run whose end nobody saw keeps what it left', async () => {
  await using home = await makeTestHome()
  const cwd = await workIn(home)
  await using box = await openTestHost(home)
  await box.start('r', { argv: sh('echo so far > a; echo on > begun; exec sleep 600'), cwd, artifacts: ['a'] })
  await eventually(async () => expect(await readFile(join(cwd, 'begun'), 'utf8')).toBe('on\n'))
  const pid = await eventually(async () => {
    const { pid } = await box.caller.call(getRun, { run: 'r' })
    if (pid === null) throw new Error('it is not running yet')
    return pid
  })
  const keeper = await home.keeperPid()
  if (keeper === undefined) throw new Error('no keeper')
  process.kill(keeper, 'SIGKILL')
  process.kill(pid, 'SIGKILL')
  expect(await box.ended('r')).toMatchObject({ state: 'failed', exit: { code: null, signal: null }, error: { code: 'run.lost' } })
  expect(await toldOf(box, 'r')).toEqual(['artifact.kept a'])
  expect(await digestOf(box, 'r', 'a')).toBe(createHash('sha256').update('so far\n').digest('hex'))
})

test('a run that was accepted before there were artifacts is the same run, and has none', async () => {
  await using home = await makeTestHome()
  const cwd = await workIn(home)
  await using box = await openTestHost(home)
  await box.start('r', { argv: ['true'], cwd })
  await box.ended('r')
  // Its spec is kept to the letter: one more field in it, even an empty one, would make it another.
  expect(await box.start('r', { argv: ['true'], cwd })).toMatchObject({ state: 'succeeded' })
  expect(await box.caller.call(listArtifacts, { run: 'r' })).toEqual({ artifacts: [], refused: [] })
})
