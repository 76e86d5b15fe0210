// The queue: every start goes through it. Submit (durable, idempotent) → claim (lease, fencing number) → start on the host → its end.
// Push links are claimed here on the host's behalf. The states of a job and what each fenced write means are told in store/jobs.ts.
//
// Why nothing starts twice: a job is bound to its host before it is acknowledged, and the host is idempotent by run id. When an answer
// is lost, or this hub is killed between claim and start, the same run id is started again on the same host, which then changes nothing.

import { createHash } from 'node:crypto'
import type { Logger } from 'pino'
import { ulid } from 'ulidx'
import { crashpoint } from '../contract/crashpoint.ts'
import { asMusterError, failure, type MusterError } from '../contract/errors.ts'
import { cancelRun, isTerminal, type Run, type RunSpec, type RunState, runTitle, startRun } from '../contract/run.ts'
import {
  claimNext,
  endJob,
  findJobByKey,
  getJob,
  type Job,
  markStarted,
  releaseClaim,
  renewClaim,
  submitJob,
  sweepJobs,
  unfinishedJobs,
} from '../store/jobs.ts'
import type { Store } from '../store/store.ts'
import type { Fleet, FleetHost } from './fleet.ts'
import type { Mirror } from './mirror.ts'
import { createSignals } from './signals.ts'

const leaseMs = 30_000
const renewEveryMs = 10_000
const sweepEveryMs = 1_000
const startDeadlineMs = 20_000
const claimsAtOnce = 64

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
  const changed = createSignals()
  const closing = new AbortController()
  const starting = new Set<Promise<void>>()
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
        reason: state.status === 'offline' ? state.reason : 'it has never dialled in',
      })
    }
    const now = Date.now()
    const { job } = await submitJob(store, {
      ...request,
      run: run ?? known?.run ?? `run_${ulid()}`,
      host: host.id,
      spec,
      parent,
      title: runTitle(spec),
      queue,
      createdAt: new Date(now).toISOString(),
      expiresAt: new Date(now + expiresInMs).toISOString(),
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
        const hosts = fleet
          .all()
          .filter(({ connector }) => connector.state.status === 'online')
          .map(({ id }) => id)
        const jobs = await claimNext(store, { owner, hosts, now: new Date().toISOString(), leaseMs, limit: claimsAtOnce })
        if (jobs.length > 0) crashpoint('claim.after-commit')
        for (const job of jobs) {
          const start = startOnHost(job).finally(() => starting.delete(start))
          starting.add(start)
        }
        if (jobs.length === claimsAtOnce) claim()
      })
      .catch((error) => log.error({ error: asMusterError(error).toValue() }, 'jobs could not be claimed'))
  }

  async function startOnHost(job: Job): Promise<void> {
    const claimed = { run: job.run, owner, fence: job.fence }
    const renewing = setInterval(() => {
      renewClaim(store, { ...claimed, now: new Date().toISOString(), leaseMs }).catch((error) =>
        log.warn({ run: job.run, error: asMusterError(error).toValue() }, 'a claim could not be renewed'),
      )
    }, renewEveryMs)
    try {
      const state = fleet.byId(job.host)?.connector.state
      if (state?.status !== 'online') throw failure('host.offline', { host: job.host, reason: 'its link closed' })
      await state.caller.call(
        startRun,
        { run: job.run, spec: job.spec, parent: job.parent, fence: job.fence },
        { timeoutMs: startDeadlineMs, signal: closing.signal },
      )
      crashpoint('start.after-answer')
      await readable(job)
      await markStarted(store, claimed)
    } catch (error) {
      await giveBack(job, claimed, asMusterError(error))
    } finally {
      clearInterval(renewing)
      changed.notify(job.run)
    }
  }

  /**
   * Where runs are read from the mirror, a run has begun for its readers only once the mirror has it. Rejects with `host.offline`
   * when it does not come: the run is then started once more, which changes nothing.
   */
  async function readable(job: Job): Promise<void> {
    const connector = fleet.byId(job.host)?.connector
    if (!connector?.traits.mirrored) return
    const broken = new AbortController()
    const stopWatching = connector.onChange(() => broken.abort())
    try {
      await mirror.holds(
        job.host,
        job.run,
        AbortSignal.any([closing.signal, broken.signal, AbortSignal.timeout(startDeadlineMs)]),
      )
    } catch (error) {
      throw failure('host.offline', { host: job.host, reason: 'its journal has not told of the run' }, { cause: error })
    } finally {
      stopWatching()
    }
  }

  async function giveBack(job: Job, claimed: { run: string; owner: string; fence: number }, error: MusterError): Promise<void> {
    log.info({ run: job.run, host: job.host, error: error.toValue() }, 'a run could not be started')
    try {
      // A host that is starting or stopping, a link that broke, this hub closing: the job waits its turn again. Anything else is the
      // run's end.
      if (error.retryable || error.code === 'host.stopped' || closing.signal.aborted) await releaseClaim(store, claimed)
      else await endJob(store, { run: job.run, runState: 'failed', error: error.toValue(), claim: claimed })
    } catch (failed) {
      // The lease lapses by itself, and the sweep takes the job back.
      log.error({ run: job.run, error: asMusterError(failed).toValue() }, 'a claim could not be given back')
    }
  }

  const sweeping = setInterval(() => {
    sweepJobs(store, new Date().toISOString()).then(
      ({ requeued, expired }) => {
        for (const job of expired) changed.notify(job.run)
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
  function stopOnHost({ run, host }: Job): void {
    const state = fleet.byId(host)?.connector.state
    if (state?.status !== 'online') return
    state.caller
      .call(cancelRun, { run }, { timeoutMs: startDeadlineMs })
      .catch((error) =>
        log.warn({ run, error: asMusterError(error).toValue() }, 'a run that was given up could not be cancelled'),
      )
  }

  claim()
  return {
    submit,
    claim,
    look: (run) => getJob(store, run),
    begun: (run, signal) => until(run, (job) => job.state === 'started' || job.state === 'ended', signal),
    ended: (run, signal) => until(run, (job) => job.state === 'ended', signal),
    async cancelWaiting(run) {
      const job = await getJob(store, run)
      if (job?.state !== 'queued') return undefined
      const cancelled = await endJob(store, { run, runState: 'cancelled', error: null, onlyIf: 'queued' })
      changed.notify(run)
      return cancelled ? await getJob(store, run) : undefined
    },
    async note(host, { id, state, error }) {
      const job = await getJob(store, id)
      // The id of another host's run is not this host's to end.
      if (job?.host !== host) return
      if (isTerminal(state)) await end(id, state, error, true)
      else if (wasGivenUp(job)) stopOnHost(job)
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
      await Promise.all(starting)
    },
  }
}

/** Ended while it waited, after an attempt to start it. */
function wasGivenUp({ state, startedAt, fence, runState, error }: Job): boolean {
  return state === 'ended' && startedAt === null && fence > 0 && (runState === 'cancelled' || error?.code === 'run.expired')
}

function fingerprint(request: unknown): string {
  return createHash('sha256')
    .update(JSON.stringify(sortKeys(request)))
    .digest('hex')
}

function sortKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortKeys)
  if (value === null || typeof value !== 'object') return value
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, one]) => [key, sortKeys(one)]),
  )
}
