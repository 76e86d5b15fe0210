// One process that the keeper holds: started once, signalled as a group, its end recorded.
// It ends when its leader has ended and, if it was told to end, the rest of its group too (or has been killed).

import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, mkdirSync, openSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Exit } from '../../contract/run.ts'
import { groupLives, identify, identifyChild, type ProcessIdentity } from '../process-identity.ts'
import { type ExitRecord, writeExitRecord } from './exit-record.ts'
import { signalGroup } from './group.ts'
import { noteGrowth } from './growth.ts'
import type { KeeperLog } from './log.ts'
import type { SpawnRequest } from './protocol.ts'
import { describeSpawnProblem } from './spawn-problem.ts'
import { openStdin, type Stdin } from './stdin.ts'
import { claimSpawn, recordSpawned } from './trace.ts'

export interface HeldProcess {
  readonly identity: ProcessIdentity
  readonly startedAt: string
  /** Undefined when it has none to write to. */
  readonly stdin: Stdin | undefined
  /** False when its group is gone. */
  signal(signal: 'SIGTERM' | 'SIGKILL'): boolean
  /** Resolves once its exit record is on disk. Never rejects. */
  readonly ended: Promise<ExitRecord>
}

/**
 * Starts the process; answers undefined when somebody claimed it before (see trace.ts), and the exit record when it could not be
 * started. `dir` is made.
 */
export async function startProcess(
  dir: string,
  request: SpawnRequest,
  log: KeeperLog,
): Promise<HeldProcess | ExitRecord | undefined> {
  mkdirSync(dir, { recursive: true, mode: 0o700 })
  const startedAt = new Date().toISOString()
  if (!claimSpawn(dir, startedAt)) return undefined
  const child = spawnInto(dir, request)
  if (child instanceof Error || child.pid === undefined) {
    const error = child instanceof Error ? child : await new Promise<Error>((resolve) => child.once('error', resolve))
    return recordNotStarted(dir, request, startedAt, error)
  }
  const ended = new Promise<Exit>((resolve) => child.once('exit', (code, signal) => resolve({ code, signal })))
  const identity = identifyChild(child.pid) ?? (await identify(child.pid)) ?? { pid: child.pid, startTime: 'ended at once' }
  recordSpawned(dir, startedAt, identity)
  return hold(dir, child, identity, startedAt, ended, log)
}

function spawnInto(dir: string, { argv, cwd, env, stdin }: SpawnRequest): ChildProcess | Error {
  const [program, ...args] = argv as [string, ...string[]]
  const opened: number[] = []
  try {
    for (const stream of ['stdout', 'stderr']) opened.push(openSync(join(dir, stream), 'a', 0o600))
    // `detached` is a session, and so a process group, of its own. `ignore` is /dev/null.
    return spawn(program, args, { cwd, env, detached: true, stdio: [stdin === 'open' ? 'pipe' : 'ignore', ...opened] })
  } catch (error) {
    return error as Error
  } finally {
    for (const file of opened) closeSync(file)
  }
}

function recordNotStarted(dir: string, { argv, cwd }: SpawnRequest, startedAt: string, error: Error): ExitRecord {
  const program = argv[0] as string
  const record: ExitRecord = {
    exit: { code: null, signal: null },
    notStarted: { program, problem: describeSpawnProblem(error, program, cwd) },
    pid: null,
    startedAt,
    endedAt: new Date().toISOString(),
    output: { stdout: 0, stderr: 0 },
  }
  writeExitRecord(dir, record)
  return record
}

function hold(
  dir: string,
  child: ChildProcess,
  identity: ProcessIdentity,
  startedAt: string,
  exited: Promise<Exit>,
  log: KeeperLog,
): HeldProcess {
  const growth = noteGrowth(dir, (error) => log.error('output growth could not be noted', { dir, error }))
  let told: 'SIGTERM' | 'SIGKILL' | undefined
  let over = false

  async function end(): Promise<ExitRecord> {
    const exit = await exited
    while (told === 'SIGTERM' && signalGroup(identity.pid, 0) && (await groupLives(identity.pid))) await delay(groupCheckMs)
    // From here on the group's number may become another's.
    over = true
    const endedAt = new Date().toISOString()
    const record = { exit, notStarted: null, pid: identity.pid, startedAt, endedAt, output: await finalSizes() }
    try {
      writeExitRecord(dir, record)
    } catch (error) {
      // A full disk: those who follow now are still told.
      log.error('an exit could not be recorded', { dir, record, error })
    }
    return record
  }

  async function finalSizes(): Promise<ExitRecord['output']> {
    try {
      return await growth.close()
    } catch (error) {
      log.error('the last output could not be noted', { dir, error })
      return { stdout: statSync(join(dir, 'stdout')).size, stderr: statSync(join(dir, 'stderr')).size }
    }
  }

  return {
    identity,
    startedAt,
    stdin: child.stdin ? openStdin(child.stdin) : undefined,
    signal(signal) {
      if (over) return false
      told = signal
      return signalGroup(identity.pid, signal)
    },
    ended: end(),
  }
}

const groupCheckMs = 25
