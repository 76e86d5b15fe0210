// One process that the keeper holds: started once, signalled as a group, its end recorded.
// It ends when its leader has ended and, if it was told to end, the rest of its group too (or has been killed).

import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, mkdirSync, openSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { OutputStream } from '../../contract/output.ts'
import type { Exit } from '../../contract/run.ts'
import { observeOutput } from '../../store/output/observe.ts'
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
  try {
    recordSpawned(dir, startedAt, identity)
  } catch (error) {
    // It runs: held, its end is known, also if this cannot be written.
    log.error('a start could not be recorded', { dir, error })
  }
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
    while (told === 'SIGTERM' && (await othersLive())) await delay(groupCheckMs)
    // From here on the group's number may become another's.
    over = true
    const endedAt = new Date().toISOString()
    const output = await untilThereIsRoom(finalSizes(), () => ({ stdout: sizeIn(dir, 'stdout'), stderr: sizeIn(dir, 'stderr') }))
    const record = { exit, notStarted: null, pid: identity.pid, startedAt, endedAt, output }
    await untilThereIsRoom(
      async () => writeExitRecord(dir, record),
      () => undefined,
    )
    return record
  }

  /** What cannot be seen counts as living: SIGKILL ends this wait in any case. */
  async function othersLive(): Promise<boolean> {
    try {
      return signalGroup(identity.pid, 0) && (await groupLives(identity.pid))
    } catch (error) {
      log.error('a group could not be looked at', { dir, error })
      return true
    }
  }

  /** The first try notes what is left; the observer is closed then, and a further try opens its own. */
  function finalSizes(): () => Promise<ExitRecord['output']> {
    let close = () => growth.close()
    return () => {
      const sizes = close()
      close = async () => (await observeOutput(dir)).close()
      return sizes
    }
  }

  /** An end that was told and is not on disk would be unknown after this keeper: on a full disk it is tried again. */
  async function untilThereIsRoom<T>(work: () => Promise<T>, otherwise: () => T): Promise<T> {
    for (;;) {
      try {
        return await work()
      } catch (error) {
        log.error('an end could not be recorded', { dir, error })
        if (!isDiskFull(error)) return otherwise()
        await delay(diskFullAgainMs)
      }
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
const diskFullAgainMs = 1_000

/** 0 for one that somebody has removed. */
function sizeIn(dir: string, stream: OutputStream): number {
  return statSync(join(dir, stream), { throwIfNoEntry: false })?.size ?? 0
}

function isDiskFull(error: unknown): boolean {
  const cause = error instanceof Error && error.cause !== undefined ? error.cause : error
  const { code } = cause as NodeJS.ErrnoException
  return code === 'ENOSPC' || code === 'EDQUOT'
}
