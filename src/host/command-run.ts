// Carries a command run by a process: starts or finds it, has it stopped when that is asked, and reports how it ended.

import { homedir } from 'node:os'
import type { Logger } from 'pino'
import { crashpoint } from '../contract/crashpoint.ts'
import { hasCode } from '../contract/errors.ts'
import type { EventBody } from '../contract/event.ts'
import type { CommandSpec } from '../contract/run.ts'
import { artifactsDir } from '../store/artifacts.ts'
import { collectArtifacts } from './artifacts/collect.ts'
import { endingOf, lostEnding } from './ending.ts'
import { environmentFor } from './environment.ts'
import type { SpawnRequest } from './keeper/protocol.ts'
import type { LiveRun } from './live-run.ts'
import { ageOf } from './process-identity.ts'
import type { Ended, Found, Process, Processes } from './processes.ts'
import { climb, rungsFor } from './stop-ladder.ts'

export interface Carrying {
  readonly host: string
  /** Where its output is. */
  readonly dir: string
  readonly processes: Processes
  /** Aborted when this host closes. */
  readonly closing: AbortSignal
  readonly log: Logger
}

/** Resolves when the run has ended; rejects with `host.stopped` when this host closes first. `onProcess` is told its process. */
export async function carryCommand(
  live: LiveRun,
  spec: CommandSpec,
  carrying: Carrying,
  onProcess: (process: Process) => void,
): Promise<void> {
  const { host, processes, log } = carrying
  const request = spawnRequestFor(live.id, spec, host)
  // Only what was accepted and no more may be started: a run that was once running has had its process.
  const found = live.run.state === 'starting' ? await tryStart(request, live, processes) : await find(request, processes)
  if (!found) return
  if (found.found === 'none') return live.end(lostEnding(live.id, noOutput))
  if (found.found === 'ended') return report(live, spec, found.ended, carrying)
  crashpoint('spawn.after-spawn')
  onProcess(found.process)
  const { identity, startedAt } = found.process
  live.onHold((held) => found.process.signal(held ? 'SIGSTOP' : 'SIGCONT'))
  await live.began(identity.pid, startedAt, ageOf(identity))
  live.onStop(
    (graceMs) =>
      void climb({
        rungs: rungsFor({ canAsk: false, graceMs }),
        take: (step) => takeStep(found.process, step === 'SIGKILL' ? 'SIGKILL' : 'SIGTERM'),
        onFailed: (step, error) => log.error({ run: live.id, step, error }, 'a step of the stop ladder failed'),
        over: live.over,
      }),
  )
  await report(live, spec, await found.process.ended, carrying)
}

/** A process that is held up heeds SIGTERM only once it goes on. */
async function takeStep(process: Process, signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
  await process.signal(signal)
  if (signal === 'SIGTERM') await process.signal('SIGCONT')
}

const noOutput = { stdout: 0, stderr: 0 }

function spawnRequestFor(run: string, { argv, cwd, env, stdin }: CommandSpec, host: string): SpawnRequest {
  const environment = environmentFor(process.env, env, { MUSTER_RUN: run, MUSTER_HOST: host })
  return { id: `runs/${run}`, argv, cwd: cwd ?? homedir(), env: environment, stdin }
}

function find({ id, env }: SpawnRequest, processes: Processes): Promise<Found> {
  return processes.find(id, [`MUSTER_RUN=${env.MUSTER_RUN}`, `MUSTER_HOST=${env.MUSTER_HOST}`])
}

/** Undefined when it could not be started and the run has ended with that. */
async function tryStart(request: SpawnRequest, live: LiveRun, processes: Processes): Promise<Found | undefined> {
  try {
    return await processes.start(request)
  } catch (error) {
    if (!hasCode(error, 'proc.keeper') && !hasCode(error, 'process.descriptors')) throw error
    await live.end({ state: 'failed', error: error.toValue(), output: noOutput })
    return undefined
  }
}

async function report(live: LiveRun, spec: CommandSpec, ended: Ended, carrying: Carrying): Promise<void> {
  live.processEnded()
  const ran = ended.how === 'gone' || !ended.record.notStarted
  const artifacts = ran ? await collected(live, spec, carrying) : []
  if (ended.how === 'gone') return live.end(lostEnding(live.id, ended.output), undefined, artifacts)
  const { startedAt, endedAt } = ended.record
  await live.end(endingOf(live.id, ended.record, carrying.dir), { startedAt, endedAt }, artifacts)
}

/** What it leaves behind, kept. A run that is asked to stop only now gives up the rest of it. */
async function collected(
  live: LiveRun,
  { artifacts: globs = [], cwd }: CommandSpec,
  { dir, closing }: Carrying,
): Promise<EventBody[]> {
  if (globs.length === 0) return []
  const stopped = new AbortController()
  if (live.run.state !== 'stopping') live.onStop(() => stopped.abort())
  const { kept, refused } = await collectArtifacts({
    globs,
    cwd: cwd ?? homedir(),
    dir: artifactsDir(dir),
    stopped: stopped.signal,
    closing,
  })
  crashpoint('artifacts.before-end')
  return [
    ...kept.map((one) => ({ type: 'artifact.kept' as const, ...one })),
    ...refused.map((one) => ({ type: 'artifact.refused' as const, ...one })),
  ]
}
