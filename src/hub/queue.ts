// The queue: every start goes through it. Submit (durable, idempotent) → claim (lease, fencing number) → start on the host → its end.
// Push links are claimed here on the host's behalf. The states of a job and what each fenced write means are told in store/jobs/job.ts.
//
// Why nothing starts twice: a job is bound to its host before it is acknowledged, and the host is idempotent by run id. When an answer
// is lost, or this hub is killed between claim and start, the same run id is started again on the same host, which then changes nothing.

import { createHash } from 'node:crypto'
import type { Logger } from 'pino'
import { monotonicFactory } from 'ulidx'
import { crashpoint } from '../contract/crashpoint.ts'
import { asMusterError, failure, hasCode, type MusterError } from '../contract/errors.ts'
import { cancelRun, isTerminal, type Run, type RunSpec, type RunState, runTitle } from '../contract/run.ts'
import { canonicalJson } from '../store/canonical.ts'
import { claimNext } from '../store/jobs/claim.ts'
import { endJob } from '../store/jobs/end.ts'
import { findJobByKey, getJob, unfinishedJobs } from '../store/jobs/find.ts'
import type { ClaimedJob, Job } from '../store/jobs/job.ts'
import { releaseClaim } from '../store/jobs/lease.ts'
import { submitJob } from '../store/jobs/submit.ts'
import { sweepJobs } from '../store/jobs/sweep.ts'
import type { Store } from '../store/store.ts'
import type { Fleet, FleetHost } from './fleet.ts'
import type { Mirror } from './mirror.ts'
import { createSignals } from './signals.ts'
import { leaseMs, startDeadlineMs, startJob } from './start-job.ts'
import { steadyClock } from './steady-clock.ts'

/** In the order of submission also within one millisecond, so that lists are. */
const nextUlid = monotonicFactory()

const sweepEveryMs = 1_000
const claimsAtOnce = 64
/** So long who cancels waits for a start to be called off at its host. */
const callOffDeadlineMs = 2_000

export interface Submission {
  readonly host: FleetHost
  readonly spec: RunSpec
  readonly run?: string | undefined
  readonly key?: string | undefined
  readonly parent: Run['parent']
  /** Wait for a host that is offline. Otherwise that is `host.offline` at once. */
  readonly queue: boolean
  readonly expiresInMs: number
}

export interface Queue extends AsyncDisposable {
  /** Resolves once the job is durable. The same key or run id with the same request answers the same job. */
  submit(submission: Submission): Promise<Job>
  /** A host has come online: what waits for it is started. */
  claim(): void
  /** The job as it stands. */
  look(run: string): Promise<Job | undefined>
  /** The job once it is no longer waiting: started on its host, or ended. Undefined for a run that came to its host another way. */
  begun(run: string, signal: AbortSignal): Promise<Job | undefined>
  /** The job once its run has ended. */
  ended(run: string, signal: AbortSignal): Promise<Job | undefined>
  /** Ends a job that waits. Undefined when it does not: its host must be asked. */
  cancelWaiting(run: string): Promise<Job | undefined>
  /** What a host, by its id, reported of a run: its end ends that host's job. Durable when it resolves. */
  note(host: string, run: Pick<Run, 'id' | 'state' | 'error'>): Promise<void>
  /** Ends every job of a host that is being forgotten. */
  abandon(host: string, error: MusterError): Promise<void>
}

/** A claimed job whose host is being asked to start it. */
interface Start {
  readonly job: ClaimedJob
  /** Resolves when the claim is no longer held. */
  readonly done: Promise<void>
  /** Gives the claim back, if the host has not answered yet. */
  callOff(): void
}

export async function openQueue({
  store,
  fleet,
  mirror,
  owner,
  log,
}: {
  store: Store
  fleet: Fleet
  mirror: Mirror
  owner: string
  log: Logger
}): Promise<Queue> {
  const clock = steadyClock()
  const steadyTime = (inMs = 0) => new Date(clock.now() + inMs).toISOString()
  const changed = createSignals()
  const closing = new AbortController()
  const starting = new Set<Start>()
  let claiming = Promise.resolve()
  let claimAgain = false

  // What a former life of this hub had claimed is nobody's now: the home's lock says that it is dead.
  for (const job of await unfinishedJobs(store)) {
    if (job.state === 'claimed' && job.owner === owner) await releaseClaim(store, { run: job.run, owner, fence: job.fence })
  }

  async function submit({ host, spec, run, key, parent, queue, expiresInMs }: Submission): Promise<Job> {
    const request = { key: key ?? null, fingerprint: fingerprint({ host: host.id, spec, parent }) }
    const known = await earlier(key, run)
    const { state } = host.connector
    if (!known && !queue && state.status !== 'online') {
      throw failure('host.offline', {
        host: host.name,
        reason: state.reason ?? 'it has never been reached',
      })
    }
    const { job } = await submitJob(store, {
      ...request,
      run: run ?? known?.run ?? `run_${nextUlid()}`,
      host: host.id,
      spec,
      parent,
      title: runTitle(spec),
      queue,
      createdAt: new Date().toISOString(),
      expiresAt: steadyTime(expiresInMs),
    })
    crashpoint('submit.after-commit')
    // Its run id came with another key, or with none: this key would not find it again.
    if (key !== undefined && job.key !== key) throw failure('run.conflict', { run: job.run })
    if (!fleet.byId(host.id)) {
      // Forgotten since the caller looked it up, and its jobs with it: this one may have come too late for that.
      const unknown = failure('host.unknown', { host: host.name })
      await end(job.run, 'failed', unknown.toValue(), false)
      throw unknown
    }
    claim()
    return job
  }

  async function earlier(key: string | undefined, run: string | undefined): Promise<Job | undefined> {
    const byKey = key === undefined ? undefined : await findJobByKey(store, key)
    return byKey ?? (run === undefined ? undefined : await getJob(store, run))
  }

  /** Claims what can be started now. Calls while one is under way are folded into one more round. */
  function claim(): void {
    if (claimAgain || closing.signal.aborted) return
    claimAgain = true
    claiming = claiming
      .then(async () => {
        claimAgain = false
        const reached = fleet.all().filter(({ connector }) => connector.state.caller)
        const isOnline = ({ connector }: FleetHost) => connector.state.status === 'online'
        const jobs = await claimFor(reached.filter(isOnline), 'claimed')
        // Laid ready where their host will look, they wait on.
        const ahead = await claimFor(
          reached.filter((host) => !isOnline(host)),
          'queued',
        )
        if (jobs.length + ahead.length > 0) crashpoint('claim.after-commit')
        for (const job of [...jobs, ...ahead]) begin(job)
        if (jobs.length === claimsAtOnce || ahead.length === claimsAtOnce) claim()
      })
      .catch((error) => log.error({ error: asMusterError(error).toValue() }, 'jobs could not be claimed'))
  }

  function claimFor(hosts: readonly FleetHost[], runState: 'claimed' | 'queued'): Promise<ClaimedJob[]> {
    const to = { owner, hosts: hosts.map(({ id }) => id), now: steadyTime(), leaseMs, limit: claimsAtOnce, onUnreadable }
    return claimNext(store, { ...to, runState })
  }

  function begin(job: ClaimedJob): void {
    const ending = new AbortController()
    const signal = AbortSignal.any([closing.signal, ending.signal])
    const done = startJob(job, { store, fleet, mirror, owner, steadyTime, closing: signal, log }).finally(() => {
      starting.delete(start)
      changed.notify(job.run)
    })
    const start: Start = { job, done, callOff: () => ending.abort() }
    starting.add(start)
  }

  function onUnreadable(run: string): void {
    log.error({ run }, 'a job could not be read and has ended as failed')
    changed.notify(run)
  }

  const sweeping = setInterval(() => {
    sweepJobs(store, steadyTime(), new Date().toISOString()).then(
      ({ requeued, expired }) => {
        for (const job of expired) {
          changed.notify(job.run)
          if (wasGivenUp(job)) void stopOnHost(job, startDeadlineMs)
        }
        if (requeued.length > 0) log.warn({ runs: requeued.map(({ run }) => run) }, 'claims lapsed; the jobs wait again')
        claim()
      },
      (error) => log.error({ error: asMusterError(error).toValue() }, 'the queue could not be swept'),
    )
  }, sweepEveryMs)

  async function until(run: string, reached: (job: Job) => boolean, signal: AbortSignal): Promise<Job | undefined> {
    for (;;) {
      const next = changed.next(run, signal)
      const job = await getJob(store, run)
      if (!job || reached(job)) return job
      await next
    }
  }

  async function end(run: string, runState: RunState, error: Run['error'], byHost: boolean): Promise<void> {
    await endJob(store, { run, runState, error, byHost })
    changed.notify(run)
  }

  /** A start whose answer was lost may have reached the host all the same, and the job may have ended here before that was told. */
  async function stopOnHost({ run, host }: Job, timeoutMs: number): Promise<void> {
    try {
      await fleet.byId(host)?.connector.state.caller?.call(cancelRun, { run }, { timeoutMs })
    } catch (error) {
      // It had not come so far.
      if (hasCode(error, 'run.unknown')) return
      log.warn({ run, error: asMusterError(error).toValue() }, 'a run that was given up could not be cancelled')
    }
  }

  /** A start that may last, since the host is away and what it is asked lies where it will look. */
  function startOutside({ run, host, state, fence }: Job): Start | undefined {
    if (state !== 'claimed' || fleet.byId(host)?.connector.state.status === 'online') return undefined
    return [...starting].find(({ job }) => job.run === run && job.fence === fence)
  }

  claim()
  return {
    submit,
    claim,
    look: (run) => getJob(store, run),
    begun: (run, signal) => until(run, (job) => job.state === 'started' || job.state === 'ended', signal),
    ended: (run, signal) => until(run, (job) => job.state === 'ended', signal),
    async cancelWaiting(run) {
      for (;;) {
        const job = await getJob(store, run)
        const start = job && startOutside(job)
        if (start) {
          start.callOff()
          await start.done
        } else if (job?.state !== 'queued') return undefined
        else if (await endJob(store, { run, runState: 'cancelled', error: null, onlyIf: 'queued' })) break
      }
      changed.notify(run)
      const cancelled = await getJob(store, run)
      if (cancelled && wasGivenUp(cancelled)) await stopOnHost(cancelled, callOffDeadlineMs)
      return cancelled
    },
    async note(host, { id, state, error }) {
      const job = await getJob(store, id)
      // The id of another host's run is not this host's to end.
      if (job?.host !== host) return
      if (isTerminal(state)) await end(id, state, error, true)
      else if (wasGivenUp(job)) void stopOnHost(job, startDeadlineMs)
    },
    async abandon(host, error) {
      for (const job of await unfinishedJobs(store)) {
        if (job.host === host) await end(job.run, 'failed', error.toValue(), false)
      }
    },
    async [Symbol.asyncDispose]() {
      closing.abort()
      clearInterval(sweeping)
      await claiming
      await Promise.all([...starting].map(({ done }) => done))
    },
  }
}

/** Ended while it waited, after an attempt to start it. */
function wasGivenUp({ state, startedAt, fence, runState, error }: Job): boolean {
  return state === 'ended' && startedAt === null && fence > 0 && (runState === 'cancelled' || error?.code === 'run.expired')
}

function fingerprint(request: unknown): string {
  return createHash('sha256').update(canonicalJson(request)).digest('hex')
}
