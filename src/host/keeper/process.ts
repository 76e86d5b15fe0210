// One process that the keeper holds: started once, signalled as a group, its end recorded.
// It ends when its leader has ended and, if it was told to end, the rest of its group too (or has been killed).

import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, mkdirSync, openSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { isOutOfDescriptors } from '../../contract/errors.ts'
import type { OutputStream } from '../../contract/output.ts'
import type { Exit } from '../../contract/run.ts'
import { observeOutput } from '../../store/output/observe.ts'
import { groupLives, identify, identifyChild, type ProcessIdentity } from '../process-identity.ts'
import { type ExitRecord, writeExitRecord } from './exit-record.ts'
import { signalGroup } from './group.ts'
import { noteGrowth } from './growth.ts'
import type { KeeperLog } from './log.ts'
import type { GroupSignal, SpawnRequest } from './protocol.ts'
import { describeSpawnProblem } from './spawn-problem.ts'
import { openStdin, type Stdin } from './stdin.ts'
import { claimSpawn, dropClaim, recordSpawned } from './trace.ts'

export interface HeldProcess {
  readonly identity: ProcessIdentity
  readonly startedAt: string
  /** Undefined when it has none to write to. */
  readonly stdin: Stdin | undefined
  /** False when its group is gone. */
  signal(signal: GroupSignal): boolean
  /** Resolves once its exit record is on disk. Never rejects. */
  readonly ended: Promise<ExitRecord>
}

/**
 * Starts the process; answers undefined when somebody claimed it before (see trace.ts), and the exit record when it could not be
 * started. Rejects, with no claim left, for want of file descriptors. `dir` is made.
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
    // Want of the keeper's own: nothing is wrong with what was to be started, and its record would need one too.
    if (isOutOfDescriptors(error)) {
      dropClaim(dir)
      throw error
    }
    return recordNotStarted(dir, request, startedAt, error)
  }
  const ended = new Promise<Exit>((resolve) => child.once('exit', (code, signal) => resolve({ code, signal })))
  const spawnedMs = performance.now()
  const identity = await identityOf(child.pid)
  try {
    recordSpawned(dir, startedAt, identity)
  } catch (error) {
    // It runs: held, its end is known, also if this cannot be written.
    log.error('a start could not be recorded', { dir, error })
  }
  return hold(dir, child, identity, { startedAt, spawnedMs }, ended, log)
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

/** It runs, so that who it is must be known: what may pass is tried again. */
async function identityOf(pid: number): Promise<ProcessIdentity> {
  for (;;) {
    try {
      return identifyChild(pid) ?? (await identify(pid)) ?? { pid, startTime: 'ended at once' }
    } catch (error) {
      if (!mayPass(error)) throw error
      await delay(identifyAgainMs)
    }
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
    diskWasFull: false,
  }
  writeExitRecord(dir, record)
  return record
}

interface Start {
  readonly startedAt: string
  /** The same by a clock that nobody sets. */
  readonly spawnedMs: number
}

/** Now; but never before the start, nor sooner after it than time has passed, when somebody has set the clock back. */
function endOf({ startedAt, spawnedMs }: Start): string {
  const tookMs = Math.floor(performance.now() - spawnedMs)
  return new Date(Math.max(Date.now(), Date.parse(startedAt) + tookMs)).toISOString()
}

function hold(
  dir: string,
  child: ChildProcess,
  identity: ProcessIdentity,
  start: Start,
  exited: Promise<Exit>,
  log: KeeperLog,
): HeldProcess {
  const { startedAt } = start
  const growth = noteGrowth(dir, (error) => log.error('output growth could not be noted', { dir, error }))
  let told: 'SIGTERM' | 'SIGKILL' | undefined
  let over = false

  async function end(): Promise<ExitRecord> {
    const exit = await exited
    while (told === 'SIGTERM' && (await othersLive())) await delay(groupCheckMs)
    // From here on the group's number may become another's.
    over = true
    const endedAt = endOf(start)
    const output = await untilRecorded(finalSizes(), () => ({ stdout: sizeIn(dir, 'stdout'), stderr: sizeIn(dir, 'stderr') }))
    const record = { exit, notStarted: null, pid: identity.pid, startedAt, endedAt, output, diskWasFull: growth.diskWasFull }
    await untilRecorded(
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

  /** An end that was told and is not on disk would be unknown after this keeper: what may pass is tried again. */
  async function untilRecorded<T>(work: () => Promise<T>, otherwise: () => T): Promise<T> {
    for (let failed = 0; ; failed++) {
      try {
        return await work()
      } catch (error) {
        if (failed === 0) log.error('an end could not be recorded', { dir, error })
        if (!mayPass(error)) return otherwise()
        await delay(againMs)
      }
    }
  }

  return {
    identity,
    startedAt,
    stdin: child.stdin ? openStdin(child.stdin) : undefined,
    signal(signal) {
      if (over) return false
      if (signal === 'SIGTERM' || signal === 'SIGKILL') told = signal
      return signalGroup(identity.pid, signal)
    },
    ended: end(),
  }
}

const groupCheckMs = 25
const againMs = 1_000
const identifyAgainMs = 20
/** No room, and no file descriptor left. */
const passing = new Set(['ENOSPC', 'EDQUOT', 'EMFILE', 'ENFILE'])

/** 0 for one that somebody has removed. */
function sizeIn(dir: string, stream: OutputStream): number {
  return statSync(join(dir, stream), { throwIfNoEntry: false })?.size ?? 0
}

function mayPass(error: unknown): boolean {
  const cause = error instanceof Error && error.cause !== undefined ? error.cause : error
  return passing.has((cause as NodeJS.ErrnoException).code ?? '')
}
