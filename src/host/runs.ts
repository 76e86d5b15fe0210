// The runs of a host: accepted durably, carried, cancelled, and taken up again when the host reopens.
// It decides who carries a run; how is command-run.ts and executors.ts.

import { mkdir } from 'node:fs/promises'
import type { Logger } from 'pino'
import { crashpoint } from '../contract/crashpoint.ts'
import { failure } from '../contract/errors.ts'
import { describeFileProblem } from '../contract/file-problem.ts'
import type { ParsedOf } from '../contract/operation.ts'
import { pause } from '../contract/pause.ts'
import type { Run, RunSpec, startRun } from '../contract/run.ts'
import { isTerminal, runTitle } from '../contract/run.ts'
import { runKinds } from '../contract/run-kind.ts'
import { carryCommand } from './command-run.ts'
import { carryWork, type Executors } from './executors.ts'
import type { HostHome } from './home.ts'
import type { StdinPart } from './keeper/stdin.ts'
import { defaultGraceMs, followRun, type LiveRun, type StopRequest } from './live-run.ts'
import type { Process, Processes } from './processes.ts'
import type { RunLog } from './run-log.ts'

export interface Runs {
  readonly kinds: Run['kind'][]
  /** Answers once the run is on disk; its process is started after that. */
  start(request: ParsedOf<typeof startRun>): Promise<Run>
  cancel(run: string, graceMs: number): Promise<Run>
  pause(run: string): Promise<Run>
  resume(run: string): Promise<Run>
  /** What it was started with. Throws `run.unknown`. */
  spec(run: string): Promise<RunSpec>
  writeStdin(part: StdinPart, body: AsyncIterable<Uint8Array>): Promise<{ written: number }>
  /** Takes up what an earlier host process left. */
  adopt(): Promise<void>
  readonly liveCount: number
  /** Lets go of the runs, which go on; resolves when nothing is written any more. */
  close(): Promise<void>
}

export interface RunsOf {
  readonly host: string
  readonly home: HostHome
  readonly log: RunLog
  readonly processes: Processes
  readonly executors: Executors
  readonly logger: Logger
}

const carryAgainMs = 5_000

export function openRuns({ host, home, log, processes, executors, logger }: RunsOf): Runs {
  const live = new Map<string, LiveRun>()
  const carriers = new Set<Promise<void>>()
  const stdins = new Map<string, PromiseWithResolvers<Process | undefined>>()
  const closing = new AbortController()
  const kinds = runKinds.filter((kind) => kind === 'command' || executors[kind] !== undefined)

  async function start({ run: id, spec, parent, fence }: ParsedOf<typeof startRun>): Promise<Run> {
    refuseWhenClosing()
    if (!kinds.includes(spec.kind)) throw failure('run.kind_unsupported', { host, kind: spec.kind })
    // Before it is accepted: its output can be watched from then on, and nothing that can fail is left between accepting and carrying.
    await makeRunDir(id)
    const { run, created } = await log.accept({ run: id, spec, parent, title: runTitle(spec), fence })
    crashpoint('accept.after-commit')
    // A repeat that comes while the first is being accepted finds it live already.
    if (created) carry(run, spec, undefined)
    return run
  }

  async function makeRunDir(id: string): Promise<void> {
    try {
      await mkdir(home.runDir(id), { recursive: true, mode: 0o700 })
    } catch (error) {
      throw failure('store.unavailable', { file: home.dir, problem: describeFileProblem(error) }, { cause: error })
    }
  }

  function carry(run: Run, spec: RunSpec, stopped: StopRequest | undefined, takenUp = false): void {
    const following = followRun(run, spec, stopped, log, logger, takenUp)
    live.set(run.id, following)
    stdins.set(run.id, Promise.withResolvers())
    const carrying = carryToItsEnd(following).finally(() => {
      following.letGo()
      stdins.get(run.id)?.resolve(undefined)
      stdins.delete(run.id)
      live.delete(run.id)
      carriers.delete(carrying)
    })
    carriers.add(carrying)
  }

  /** A store that cannot be written or a keeper that cannot be reached ends no run: it is carried on when they are back. */
  async function carryToItsEnd(following: LiveRun): Promise<void> {
    while (!closing.signal.aborted) {
      try {
        return await carryOut(following)
      } catch (error) {
        if (closing.signal.aborted) return
        logger.error({ run: following.id, error }, 'a run could not be carried on; trying again')
        await pause(carryAgainMs, closing.signal)
      }
    }
  }

  async function carryOut(following: LiveRun): Promise<void> {
    const { id, spec } = following
    if (spec.kind === 'command') {
      const carrying = { host, dir: home.runDir(id), processes, closing: closing.signal, log: logger }
      return carryCommand(following, spec, carrying, (process) => stdins.get(id)?.resolve(process))
    }
    const executor = executors[spec.kind]
    // Accepted when this host had a worker for it: it waits for the host to be opened with one again.
    if (!executor) return logger.error({ run: id, kind: spec.kind }, 'nobody here carries this run')
    await carryWork(following, executor, { dir: home.runDir(id), history: await log.history(id), closing: closing.signal })
  }

  async function cancel(id: string, graceMs: number): Promise<Run> {
    return (await liveRun(id)).stop('cancel', graceMs)
  }

  async function pausable(id: string): Promise<LiveRun> {
    const following = await liveRun(id)
    if (following.spec.kind !== 'command') throw failure('run.cannot_pause', { run: id, kind: following.spec.kind })
    return following
  }

  /** Throws `run.unknown`, `run.ended`, `host.not_ready`. */
  async function liveRun(id: string): Promise<LiveRun> {
    refuseWhenClosing()
    const following = live.get(id)
    if (following) return following
    const run = await log.get(id)
    if (isTerminal(run.state)) throw failure('run.ended', { run: id, state: run.state })
    throw failure('host.not_ready')
  }

  async function writeStdin(part: StdinPart, body: AsyncIterable<Uint8Array>): Promise<{ written: number }> {
    const { run: id } = part
    const run = await log.get(id)
    if (isTerminal(run.state)) throw failure('run.ended', { run: id, state: run.state })
    const spec = live.get(id)?.spec
    if (spec?.kind !== 'command' || spec.stdin === 'none') throw failure('run.stdin_closed', { run: id })
    const process = await stdins.get(id)?.promise
    if (!process) {
      const { state } = await log.get(id)
      throw isTerminal(state) ? failure('run.ended', { run: id, state }) : failure('run.stdin_closed', { run: id })
    }
    return { written: await process.writeStdin(part, body) }
  }

  async function adopt(): Promise<void> {
    for (const run of await log.live()) {
      logger.info({ run: run.id, state: run.state }, 'taking up a run again')
      carry(run, await log.spec(run.id), run.state === 'stopping' ? await stopRequestOf(run.id) : undefined, true)
    }
  }

  async function stopRequestOf(run: string): Promise<StopRequest> {
    const asked = (await log.history(run)).findLast((event) => event.type === 'state' && event.state === 'stopping')
    if (asked?.type !== 'state') return { reason: 'cancel', graceMs: defaultGraceMs }
    return { reason: asked.reason ?? 'cancel', graceMs: asked.graceMs ?? defaultGraceMs }
  }

  function refuseWhenClosing(): void {
    if (closing.signal.aborted) throw failure('host.stopped')
  }

  return {
    kinds,
    start,
    cancel,
    pause: async (id) => (await pausable(id)).pause(),
    resume: async (id) => (await pausable(id)).resume(),
    spec: async (id) => live.get(id)?.spec ?? (await log.spec(id)),
    writeStdin,
    adopt,
    get liveCount() {
      return live.size
    },
    async close() {
      closing.abort(failure('host.stopped'))
      processes.close()
      for (const run of live.values()) run.letGo()
      await Promise.all(carriers)
    },
  }
}
