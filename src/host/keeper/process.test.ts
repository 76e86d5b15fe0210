import * as childProcess from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, onTestFinished, test, vi } from 'vitest'
import * as identities from '../process-identity.ts'
import * as exits from './exit-record.ts'
import type { KeeperLog } from './log.ts'
import { type HeldProcess, startProcess } from './process.ts'
import * as traces from './trace.ts'

vi.mock('node:child_process', { spy: true })
vi.mock('../process-identity.ts', { spy: true })
vi.mock('./exit-record.ts', { spy: true })
vi.mock('./trace.ts', { spy: true })
afterEach(() => void vi.resetAllMocks())

const log: KeeperLog = { info() {}, error() {} }
const noSpace = () => Object.assign(new Error('no space left on device'), { code: 'ENOSPC' })
const tooMany = () => Object.assign(new Error('too many open files'), { code: 'EMFILE' })

async function start(line: string): Promise<{ dir: string; held: HeldProcess }> {
  return startIn(await newHome(), line)
}

async function newHome(): Promise<string> {
  const home = await mkdtemp(join(tmpdir(), 'muster-held-'))
  onTestFinished(() => rm(home, { recursive: true, force: true }))
  return home
}

async function startIn(home: string, line: string): Promise<{ dir: string; held: HeldProcess }> {
  const dir = join(home, 'r')
  const started = await startProcess(
    dir,
    { id: 'runs/r', argv: ['/bin/sh', '-c', line], cwd: home, env: { PATH: process.env.PATH ?? '' }, stdin: 'open' },
    log,
  )
  if (!started || !('ended' in started)) throw new Error('it was not started')
  return { dir, held: started }
}

async function* nothing() {}
const endOfInput = { run: 'r', offset: 0, end: true, signal: new AbortController().signal }

test('a directory that somebody has removed ends with its process, and takes no keeper with it', async () => {
  const { dir, held } = await start('echo out; read line; exit 3')
  await rm(dir, { recursive: true })
  await held.stdin?.write(endOfInput, nothing())
  expect((await held.ended).exit).toEqual({ code: 3, signal: null })
})

test('an exit that the full disk does not take is written once there is room, and told then', async () => {
  vi.mocked(exits.writeExitRecord).mockImplementationOnce(() => {
    throw noSpace()
  })
  const { dir, held } = await start('exit 7')
  expect((await held.ended).exit.code).toBe(7)
  expect(exits.readExitRecord(dir)?.exit.code).toBe(7)
})

test('a start that cannot be recorded is held all the same', async () => {
  vi.mocked(traces.recordSpawned).mockImplementationOnce(() => {
    throw noSpace()
  })
  const { held } = await start('exit 9')
  expect((await held.ended).exit.code).toBe(9)
})

test('a keeper that has no file descriptor left to start a program with says so, and starts it when it is asked again', async () => {
  const home = await newHome()
  vi.mocked(childProcess.spawn).mockImplementationOnce(() => {
    throw tooMany()
  })
  await expect(startIn(home, 'exit 5')).rejects.toMatchObject({ code: 'EMFILE' })
  const { held } = await startIn(home, 'exit 5')
  expect((await held.ended).exit.code).toBe(5)
})

test('a program that runs is held, also when there is no file descriptor left to look at it with', async () => {
  vi.mocked(identities.identifyChild).mockImplementationOnce(() => {
    throw tooMany()
  })
  const { held } = await start('sleep 0.2; exit 6')
  expect(held.identity.startTime).toContain(':')
  expect((await held.ended).exit.code).toBe(6)
})
