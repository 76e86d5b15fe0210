// What a case works with: the hub's answers for one host, and the few steps that nearly every case takes.

import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ulid } from 'ulidx'
import { expect } from 'vitest'
import type { Caller } from '../../../src/contract/caller.ts'
import { asMusterError, type ErrorCode } from '../../../src/contract/errors.ts'
import { followEvents, type RunEvent } from '../../../src/contract/event.ts'
import { findRun, submitRun } from '../../../src/contract/fleet.ts'
import { getHostInfo, type HostRow, listHosts } from '../../../src/contract/host.ts'
import type { InputOf } from '../../../src/contract/operation.ts'
import { type OutputStream, readOutput } from '../../../src/contract/output.ts'
import { isTerminal, type Run, type RunSpecInput, type RunState } from '../../../src/contract/run.ts'
import { until } from '../../resources/muster.ts'
import type { Apart, Conforming, Fixture } from './fixture.ts'

type CommandInput = Extract<RunSpecInput, { kind: 'command' }>
export type CommandOptions = Omit<CommandInput, 'kind' | 'argv'>
type Submission = Omit<InputOf<typeof submitRun>, 'host' | 'spec'>

export interface Subject {
  readonly fixture: Fixture
  /** Of connector, as its hosts' rows name it. */
  readonly kind: string
  /** For cases that need a host apart. */
  apart(): Apart
  readonly host: string
  /** The hub's own operations, and the host's as the hub answers them. */
  readonly hub: Caller
  readonly asked: Caller
  readonly patienceMs: number
  readonly traits: Conforming['traits']
  /** A path that nothing is at yet, in a directory that hub, host and test can all see. */
  freshPath(name?: string): string
  submit(argv: readonly string[], options?: CommandOptions, submission?: Submission): Promise<Run>
  /** A line for /bin/sh. */
  shell(line: string, options?: CommandOptions, submission?: Submission): Promise<Run>
  /** The line carried out to its end, with what it wrote. */
  outcome(line: string, options?: CommandOptions): Promise<{ run: Run; stdout: string; stderr: string }>
  find(run: string): Promise<Run>
  reaches(run: string, state: RunState): Promise<Run>
  ends(run: string): Promise<Run>
  bytes(run: string, stream?: OutputStream, from?: { offset?: number; limit?: number }): Promise<Buffer>
  events(run: string, after?: number): Promise<RunEvent[]>
  row(): Promise<HostRow>
  /** Resolves once its link is up and it answers: a link that has just broken may still be taken for whole. */
  online(): Promise<void>
  /** Asks again until `look` answers something else than undefined; a hub that is away for a moment is asked again too. */
  eventually<T>(what: string, look: () => Promise<T | undefined>): Promise<T>
  /** The call must fail with this error. */
  refuses(code: ErrorCode, call: Promise<unknown>): Promise<void>
}

export async function openSubject(conforming: Conforming): Promise<Subject & AsyncDisposable> {
  await using opened = new AsyncDisposableStack()
  const dir = await mkdtemp(join(tmpdir(), `muster-${conforming.kind}-`))
  opened.defer(() => rm(dir, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 }))
  const fixture = opened.use(await conforming.open())
  const { client, host } = fixture
  const { hub } = client
  const asked = client.host(host)
  const { patienceMs, traits } = conforming
  let paths = 0

  const eventually: Subject['eventually'] = (what, look) =>
    until(
      what,
      async () => {
        try {
          return await look()
        } catch (error) {
          if (asMusterError(error).retryable) return undefined
          throw error
        }
      },
      { log: fixture.log },
      patienceMs,
    )

  const submit: Subject['submit'] = (argv, options = {}, submission = {}) =>
    hub.call(submitRun, { host, spec: { kind: 'command', argv: [...argv], ...options }, ...submission })
  const shell: Subject['shell'] = (line, options, submission) => submit(['/bin/sh', '-c', line], options, submission)
  const find = (run: string) => hub.call(findRun, { run })
  const ends = (run: string) =>
    eventually(`${run} ends`, async () => {
      const now = await find(run)
      return isTerminal(now.state) ? now : undefined
    })
  const bytes: Subject['bytes'] = async (run, stream = 'stdout', from = {}) =>
    collect(asked.bytes(readOutput, { run, stream, follow: true, ...from }))
  const row = async () => {
    const { hosts } = await hub.call(listHosts, {})
    const found = hosts.find(({ name }) => name === host)
    if (!found) throw new Error(`${host} is not listed`)
    return found
  }

  const subject: Subject = {
    fixture,
    kind: conforming.kind,
    apart() {
      if (!fixture.apart) throw new Error(`${conforming.kind}: a case that needs a host apart must say so`)
      return fixture.apart
    },
    host,
    hub,
    asked,
    patienceMs,
    traits,
    freshPath: (name = 'path') => join(dir, `${++paths}-${name}`),
    submit,
    shell,
    async outcome(line, options) {
      const { id } = await shell(line, options)
      const run = await ends(id)
      const [stdout, stderr] = await Promise.all([bytes(id), bytes(id, 'stderr')])
      return { run, stdout: stdout.toString(), stderr: stderr.toString() }
    },
    find,
    reaches: (run, state) =>
      eventually(`${run} is ${state}`, async () => {
        const now = await find(run)
        if (now.state !== state && isTerminal(now.state)) throw new Error(`${run} ended ${now.state}, and was to be ${state}`)
        return now.state === state ? now : undefined
      }),
    ends,
    bytes,
    events: (run, after = 0) => all(asked.items(followEvents, { run, after, follow: true })),
    row,
    async online() {
      await eventually(`${host} is online and answers`, async () => {
        if ((await row()).status !== 'online') return undefined
        return asked.call(getHostInfo, {}, { timeoutMs: 5_000 })
      })
    },
    eventually,
    async refuses(code, call) {
      await expect(call).rejects.toMatchObject({ code })
    },
  }
  await subject.online()
  const closing = opened.move()
  return { ...subject, [Symbol.asyncDispose]: () => closing.disposeAsync() }
}

export async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = []
  for await (const item of items) found.push(item)
  return found
}

async function collect(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  return Buffer.concat(await all(chunks))
}

/** None while the file is not there. */
export async function linesIn(path: string): Promise<string[]> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return ''
    throw error
  })
  return text.split('\n').slice(0, -1)
}

export function freshRun(): string {
  return `run_${ulid()}`
}
