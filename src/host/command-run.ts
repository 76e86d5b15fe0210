// Carries a command run by a process: starts or finds it, has it stopped when that is asked, and reports how it ended.

import { homedir } from 'node:os'
import type { Logger } from 'pino'
import { crashpoint } from '../contract/crashpoint.ts'
import { hasCode } from '../contract/errors.ts'
import type { CommandSpec } from '../contract/run.ts'
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
  readonly log: Logger
}

/** Resolves when the run has ended; rejects with `host.stopped` when this host closes first. `onProcess` is told its process. */
export async function carryCommand(
  live: LiveRun,
  spec: CommandSpec,
  { host, dir, processes, log }: Carrying,
  onProcess: (process: Process) => void,
): Promise<void> {
  const request = spawnRequestFor(live.id, spec, host)
  // Only what was accepted and no more may be started: a run that was once running has had its process.
  const found = live.run.state === 'starting' ? await tryStart(request, live, processes) : await find(request, processes)
  if (!found) return
  if (found.found === 'none') return live.end(lostEnding(live.id, noOutput))
  if (found.found === 'ended') return report(live, found.ended, dir)
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
  await report(live, await found.process.ended, dir)
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

/** `dir`: where its output is. */
async function report(live: LiveRun, ended: Ended, dir: string): Promise<void> {
  if (ended.how === 'gone') return live.end(lostEnding(live.id, ended.output))
  await live.end(endingOf(live.id, ended.record, dir), { startedAt: ended.record.startedAt, endedAt: ended.record.endedAt })
}
