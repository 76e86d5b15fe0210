// A host on a home of its own, opened and closed by tests; nothing that it started is left behind.

import { globSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { vi } from 'vitest'
import type { Caller } from '../../src/contract/caller.ts'
import { direct } from '../../src/contract/direct.ts'
import { followEvents } from '../../src/contract/event.ts'
import type { Principal } from '../../src/contract/implementation.ts'
import { scopes } from '../../src/contract/operation.ts'
import { type OutputStream, readOutput } from '../../src/contract/output.ts'
import { getRun, isTerminal, type Run, type RunSpecInput, startRun } from '../../src/contract/run.ts'
import { type Host, type HostOptions, openHost } from '../../src/host/host.ts'
import { identify, isAlive, type ProcessIdentity } from '../../src/host/process-identity.ts'

const operator: Principal = { kind: 'self', id: 'test', role: 'operator', scopes: new Set(scopes) }
export const program = (name: string) => new URL(`../programs/${name}`, import.meta.url).pathname
export const hostName = 'box'

export interface TestHome extends AsyncDisposable {
  readonly dir: string
  /** The keeper that lives on this home, if one does. */
  keeperPid(): Promise<number | undefined>
}

export async function makeTestHome(): Promise<TestHome> {
  const dir = await mkdtemp(join(tmpdir(), 'muster-host-'))
  async function keeperPid(): Promise<number | undefined> {
    const log = await readFile(join(dir, 'keeper.log'), 'utf8').catch(() => '')
    const pids = [...log.matchAll(/"keeping","pid":(\d+)/g)].map((match) => Number(match[1]))
    for (const pid of pids.toReversed()) if (await identify(pid)) return pid
    return undefined
  }
  return {
    dir,
    keeperPid,
    async [Symbol.asyncDispose]() {
      await killAll(await startedIn(dir))
      const pid = await keeperPid()
      if (pid !== undefined) await killAll([pid])
      await rm(dir, { recursive: true, force: true })
    },
  }
}

/** The processes that the keepers of this home started and that are still alive. */
async function startedIn(dir: string): Promise<number[]> {
  const alive: number[] = []
  for (const file of globSync(join(dir, '{runs,procs}', '*', 'spawn'))) {
    const text = await readFile(file, 'utf8')
    const { spawned } = (text === '' ? { spawned: null } : JSON.parse(text)) as { spawned: ProcessIdentity | null }
    if (spawned && (await isAlive(spawned))) alive.push(spawned.pid)
  }
  return alive
}

async function killAll(pids: number[]): Promise<void> {
  for (const pid of pids) {
    try {
      process.kill(pid, 'SIGKILL')
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
    }
  }
  for (const pid of pids) await vi.waitUntil(async () => (await identify(pid)) === undefined, 30_000)
}

export interface TestHost extends AsyncDisposable {
  readonly host: Host
  readonly caller: Caller
  start(run: string, spec: Omit<Extract<RunSpecInput, { kind: 'command' }>, 'kind'>): Promise<Run>
  ended(run: string): Promise<Run>
  output(run: string, stream?: OutputStream): Promise<Buffer>
}

export async function openTestHost(home: TestHome, options: Partial<HostOptions> = {}): Promise<TestHost> {
  const log = pino({ level: process.env.MUSTER_TEST_LOG ?? 'silent' })
  const host = await openHost({
    home: home.dir,
    musterHome: home.dir,
    name: hostName,
    policy: { allow: 'everything' },
    log,
    ...options,
  })
  const caller = direct(host.offers, operator)
  return {
    host,
    caller,
    start: (run, spec) => caller.call(startRun, { run, spec: { kind: 'command', ...spec } }),
    async ended(run) {
      for await (const _ of caller.items(followEvents, { run, follow: true }));
      const ended = await caller.call(getRun, { run })
      if (!isTerminal(ended.state)) throw new Error(`${run} is ${ended.state}, although its events have ended`)
      return ended
    },
    async output(run, stream = 'stdout') {
      const parts: Uint8Array[] = []
      for await (const bytes of caller.bytes(readOutput, { run, stream, follow: true })) parts.push(bytes)
      return Buffer.concat(parts)
    },
    [Symbol.asyncDispose]: () => host.close(),
  }
}
