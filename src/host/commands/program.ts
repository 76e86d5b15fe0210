// Runs a program for one invocation: in a process group of its own, for as long as somebody waits for it and no longer than its timeout.
// It is no run: nothing of it is kept, and nobody takes it up again.

import { type ChildProcess, spawn } from 'node:child_process'
import type { Readable, Writable } from 'node:stream'
import { failure } from '../../contract/errors.ts'
import { signalGroup } from '../keeper/group.ts'
import { describeSpawnProblem } from '../keeper/spawn-problem.ts'
import type { Invocation } from './command.ts'
import { type KeptOutput, keptOutput } from './kept-output.ts'
import { toldOutput } from './told-output.ts'

export interface Program {
  readonly argv: readonly string[]
  readonly cwd: string
  /** Its whole environment. */
  readonly env: Readonly<Record<string, string>>
  readonly stdin?: string
  /** What it can read from descriptor 3. */
  readonly script?: string
  readonly timeoutMs: number
}

export interface Ended {
  readonly code: number | null
  readonly signal: string | null
  readonly timedOut: boolean
  readonly stdout: KeptOutput
  readonly stderr: KeptOutput
}

const graceMs = 2_000
/** Of a program that has ended, so long its output is waited for: what it left running may hold it open for ever. */
const drainMs = 500

/** Throws `run.spawn_failed`, or why it was aborted, once it is gone. */
export async function runProgram(program: Program, { signal, progress }: Invocation): Promise<Ended> {
  signal.throwIfAborted()
  const child = await begin(program)
  const [stdout, stderr, told] = [keptOutput(), keptOutput(), toldOutput(progress)]
  child.stdout?.on('data', (bytes: Buffer) => {
    stdout.take(bytes)
    told.take('stdout', bytes)
  })
  child.stderr?.on('data', (bytes: Buffer) => {
    stderr.take(bytes)
    told.take('stderr', bytes)
  })
  const stopping = stopper(child)
  let timedOut = false
  const timer = setTimeout(() => {
    timedOut = true
    stopping.stop()
  }, program.timeoutMs)
  signal.addEventListener('abort', stopping.stop, { once: true })
  // While it was being started.
  if (signal.aborted) stopping.stop()
  try {
    const end = await endOf(child)
    signal.throwIfAborted()
    return { ...end, timedOut, stdout, stderr }
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', stopping.stop)
    stopping.over()
    told.end()
  }
}

async function begin({ argv: [program = '', ...args], cwd, env, stdin, script }: Program): Promise<ChildProcess> {
  const input = (given: string | undefined) => (given === undefined ? 'ignore' : 'pipe')
  try {
    const stdio = [input(stdin), 'pipe', 'pipe', ...(script === undefined ? [] : ['pipe' as const])] as const
    const child = spawn(program, args, { cwd, env, detached: true, stdio: [...stdio] })
    await new Promise<void>((resolve, reject) => child.once('spawn', resolve).once('error', reject))
    feed(child.stdin, stdin)
    feed(child.stdio[3], script)
    return child
  } catch (error) {
    const problem = describeSpawnProblem(error as NodeJS.ErrnoException, program, cwd)
    throw failure('run.spawn_failed', { program, problem }, { cause: error })
  }
}

function feed(stream: Readable | Writable | null | undefined, text: string | undefined): void {
  if (!stream || !('end' in stream)) return
  // A program may end, or close it, before it has read all of it.
  stream.on('error', () => undefined)
  stream.end(text)
}

/** SIGTERM to its group, and SIGKILL to what is left of it after the grace, or once the program itself is gone. */
function stopper({ pid = 0 }: ChildProcess): { stop(): void; over(): void } {
  let killing: NodeJS.Timeout | undefined
  return {
    stop() {
      if (killing || !signalGroup(pid, 'SIGTERM')) return
      killing = setTimeout(() => signalGroup(pid, 'SIGKILL'), graceMs)
    },
    over() {
      if (!killing) return
      clearTimeout(killing)
      signalGroup(pid, 'SIGKILL')
    },
  }
}

function endOf(child: ChildProcess): Promise<{ code: number | null; signal: string | null }> {
  return new Promise((resolve) => {
    child.once('exit', (code, signal) => {
      const end = () => {
        clearTimeout(draining)
        for (const stream of child.stdio) stream?.destroy()
        resolve({ code, signal })
      }
      const draining = setTimeout(end, drainMs)
      child.once('close', end)
    })
  })
}
