// Runs the real bin/muster.js as a process of its own, with a home of its own. Used by the tests of this folder.

import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export const script = join(import.meta.dirname, '..', '..', 'bin', 'muster.js')

export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
  readonly bytes: Buffer
}

export interface Running {
  readonly child: ChildProcessWithoutNullStreams
  readonly stdout: () => string
  readonly stderr: () => string
  readonly ended: Promise<Ended>
}

export interface Invocation {
  readonly env?: Readonly<Record<string, string | undefined>>
  readonly stdin?: string | Uint8Array | 'open'
  readonly cwd?: string
}

export interface TestHome extends AsyncDisposable {
  readonly dir: string
  muster(args: readonly string[], how?: Invocation): Promise<Ended>
  start(args: readonly string[], how?: Invocation): Running
}

/** A new MUSTER_HOME. Disposing it stops its hub and removes it. */
export async function testHome(): Promise<TestHome> {
  const dir = await mkdtemp(join(tmpdir(), 'muster-cli-'))
  const running = new Set<Running>()
  const start = (args: readonly string[], how: Invocation = {}) => {
    const one = startMuster(args, { ...how, env: { MUSTER_HOME: dir, ...how.env } })
    running.add(one)
    void one.ended.then(() => running.delete(one))
    return one
  }
  const muster = (args: readonly string[], how?: Invocation) => start(args, how).ended
  return {
    dir,
    start,
    muster,
    async [Symbol.asyncDispose]() {
      for (const { child } of running) child.kill('SIGTERM')
      await Promise.all([...running].map(({ ended }) => ended))
      await muster(['hub', 'stop'])
      await rm(dir, { recursive: true, force: true, maxRetries: 5 })
    },
  }
}

function startMuster(args: readonly string[], { env, stdin = '', cwd }: Invocation): Running {
  const { MUSTER_HUB: _hub, MUSTER_TOKEN: _token, npm_command: _npm, ...inherited } = process.env
  const child = spawn(process.execPath, [script, ...args], { env: { ...inherited, NO_COLOR: '1', ...env }, cwd })
  const out: Buffer[] = []
  const err: Buffer[] = []
  child.stdout.on('data', (chunk: Buffer) => out.push(chunk))
  child.stderr.on('data', (chunk: Buffer) => err.push(chunk))
  // A command that ends before it has read its input breaks this pipe; how it ended is what the test looks at.
  child.stdin.on('error', () => undefined)
  if (stdin !== 'open') child.stdin.end(stdin)
  const stdout = () => Buffer.concat(out).toString()
  const stderr = () => Buffer.concat(err).toString()
  const ended = new Promise<Ended>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code, signal) =>
      resolve({ code, signal, stdout: stdout(), stderr: stderr(), bytes: Buffer.concat(out) }),
    )
  })
  return { child, stdout, stderr, ended }
}
