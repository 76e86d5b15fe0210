// A run whose job has not reached its host: answered from the job, since its host knows nothing of it.
// Readers that follow wait here until it has begun, others find nothing yet; a job that ended in the queue has two events and no output.

import { listArtifacts, readArtifact } from '../contract/artifact.ts'
import type { Caller } from '../contract/caller.ts'
import { failure, hasCode } from '../contract/errors.ts'
import { followEvents, type RunEvent } from '../contract/event.ts'
import { type Bound, type Implementation, implement, implementation } from '../contract/implementation.ts'
import type { Operation } from '../contract/operation.ts'
import { feedOutput, followLog, readOutput } from '../contract/output.ts'
import { cancelRun, getRun, pauseRun, type Run, resumeRun, writeStdin } from '../contract/run.ts'
import type { Job } from '../store/jobs/job.ts'
import type { FleetHost } from './fleet.ts'
import type { Queue } from './queue.ts'

/** The input of an operation about one run; `follow` where it has that choice. */
export interface AboutOneRun {
  readonly run: string
  readonly follow?: boolean
}

const asksOnce = new Set<Operation>([getRun, pauseRun, resumeRun, listArtifacts, readArtifact])

/** What answers for a run that is still the queue's, or that ended there. Undefined when its host is the one to ask. */
export async function waitingRunOperations(
  { host, queue }: { host: FleetHost; queue: Queue },
  operation: Operation,
  { run, follow }: AboutOneRun,
  signal: AbortSignal,
): Promise<Implementation | undefined> {
  const found = await queue.look(run)
  if (found?.host !== host.id) return undefined
  if (operation === cancelRun) {
    const cancelled = await queue.cancelWaiting(run)
    if (cancelled) return implementation(implement(cancelRun, async () => runOfJob(host, cancelled)))
    const { traits, state } = host.connector
    const isLaidReady = traits.deferred && (await queue.look(run))?.state === 'claimed'
    if (isLaidReady && state.caller) return implementation(cancelLaidReady({ host, queue }, state.caller))
  }
  const job = follow === false || asksOnce.has(operation) ? found : await queue.begun(run, signal)
  if (!job || hasReachedHost(job)) return undefined
  return implementation(...answersFromJob(host, job))
}

/** A run that lies where its host will look, or that a worker there has taken and not yet told of. Nobody's, it is taken back at once. */
function cancelLaidReady({ host, queue }: { host: FleetHost; queue: Queue }, caller: Caller): Bound {
  return implement(cancelRun, async (input, { signal }) => {
    try {
      return await caller.call(cancelRun, input, { signal })
    } catch (error) {
      if (!hasCode(error, 'run.unknown')) throw error
    }
    const job = await queue.ended(input.run, signal)
    if (!job) throw failure('run.unknown', { run: input.run })
    return runOfJob(host, job)
  })
}

function hasReachedHost(job: Job): boolean {
  return job.state === 'started' || (job.state === 'ended' && job.startedAt !== null)
}

function answersFromJob(host: FleetHost, job: Job): Bound[] {
  const ended = () => failure('run.ended', { run: job.run, state: job.runState })
  return [
    implement(getRun, async () => runOfJob(host, job)),
    implement(cancelRun, async () => {
      throw ended()
    }),
    implement(pauseRun, async () => {
      throw job.endedAt === null ? failure('run.transition', { run: job.run, from: job.runState, to: 'paused' }) : ended()
    }),
    implement(resumeRun, async () => {
      throw job.endedAt === null ? failure('run.transition', { run: job.run, from: job.runState, to: 'running' }) : ended()
    }),
    implement(writeStdin, async () => {
      throw ended()
    }),
    implement(followEvents, async function* ({ after }) {
      yield* eventsOfJob(job).filter(({ seq }) => seq > after)
    }),
    implement(readOutput, async function* () {}),
    implement(followLog, async function* () {}),
    implement(feedOutput, async function* () {}),
    implement(listArtifacts, async () => ({ artifacts: [], refused: [] })),
    // biome-ignore lint/correctness/useYield: it has nothing to give, and says so.
    implement(readArtifact, async function* ({ run, name }) {
      throw failure('artifact.unknown', { run, name })
    }),
  ]
}

/** The run that a waiting, or never started, job is. */
export function runOfJob(host: Pick<FleetHost, 'name'>, job: Job): Run {
  return {
    id: job.run,
    host: host.name,
    kind: job.kind,
    state: job.runState,
    title: job.title,
    parent: job.parent,
    createdAt: job.createdAt,
    startedAt: null,
    endedAt: job.endedAt,
    pid: null,
    exit: null,
    error: job.error,
    output: { stdout: 0, stderr: 0 },
    lastEvent: eventsOfJob(job).length,
    unreachableSince: null,
  }
}

function eventsOfJob(job: Job): RunEvent[] {
  if (job.endedAt === null) return []
  return [
    { type: 'accepted', seq: 1, at: job.createdAt, kind: job.kind, title: job.title, parent: job.parent },
    { type: 'state', seq: 2, at: job.endedAt, state: job.runState, ...(job.error && { error: job.error }) },
  ]
}
