// One claimed job, started on its host on the host's behalf. The claim is renewed while that takes, and given back or the job ended
// when it does not succeed. Used by the queue alone.

import type { Logger } from 'pino'
import { crashpoint } from '../contract/crashpoint.ts'
import { asMusterError, failure, type MusterError } from '../contract/errors.ts'
import { startRun } from '../contract/run.ts'
import { endJob } from '../store/jobs/end.ts'
import type { Claim, ClaimedJob, Job } from '../store/jobs/job.ts'
import { markStarted, releaseClaim, renewClaim } from '../store/jobs/lease.ts'
import type { Store } from '../store/store.ts'
import type { Fleet } from './fleet.ts'
import type { Mirror } from './mirror.ts'
import { requireTrusted } from './trust.ts'

export const leaseMs = 30_000
export const startDeadlineMs = 20_000
const renewEveryMs = 10_000

export interface Starting {
  readonly store: Store
  readonly fleet: Fleet
  readonly mirror: Mirror
  readonly owner: string
  /** What time it is by the clock of the leases. */
  readonly steadyTime: () => string
  /** Aborted when this hub closes: what it was about to start then waits for the next. */
  readonly closing: AbortSignal
  readonly log: Logger
}

/** Never rejects: what becomes of the job is in the store. */
export async function startJob(job: ClaimedJob, to: Starting): Promise<void> {
  const claim: Claim = { run: job.run, owner: to.owner, fence: job.fence }
  const renewing = setInterval(() => renew(claim, to), renewEveryMs)
  try {
    const host = to.fleet.byId(job.host)
    // Again: the record may have been narrowed while the run waited.
    if (host) requireTrusted(host, startRun)
    const caller = host?.connector.state.caller
    if (!caller) throw failure('host.offline', { host: job.host, reason: 'its link closed' })
    await caller.call(
      startRun,
      { run: job.run, spec: job.spec, parent: job.parent, fence: job.fence },
      { timeoutMs: startDeadlineMs, signal: to.closing },
    )
    crashpoint('start.after-answer')
    await readable(job, to)
    await markStarted(to.store, claim)
  } catch (error) {
    await giveBack(job, claim, asMusterError(error), to)
  } finally {
    clearInterval(renewing)
  }
}

function renew(claim: Claim, { store, steadyTime, log }: Starting): void {
  renewClaim(store, { ...claim, now: steadyTime(), leaseMs }).catch((error) =>
    log.warn({ run: claim.run, error: asMusterError(error).toValue() }, 'a claim could not be renewed'),
  )
}

/**
 * Where runs are read from the mirror, a run has begun for its readers only once the mirror has it. Rejects with `host.offline`
 * when it does not come: the run is then started once more, which changes nothing.
 */
async function readable(job: Job, { fleet, mirror, closing }: Starting): Promise<void> {
  const connector = fleet.byId(job.host)?.connector
  if (!connector?.traits.mirrored) return
  const broken = new AbortController()
  const stopWatching = connector.onChange(() => broken.abort())
  try {
    const untilOver = AbortSignal.any([closing, broken.signal, AbortSignal.timeout(startDeadlineMs)])
    await mirror.holds(job.host, job.run, untilOver)
  } catch (error) {
    throw failure('host.offline', { host: job.host, reason: 'its journal has not told of the run' }, { cause: error })
  } finally {
    stopWatching()
  }
}

async function giveBack(job: Job, claim: Claim, error: MusterError, { store, closing, log }: Starting): Promise<void> {
  // A host whose disk is full refuses each second: once is enough for the log.
  const level = job.error?.code === error.code ? 'debug' : 'info'
  log[level]({ run: job.run, host: job.host, error: error.toValue() }, 'a run could not be started')
  try {
    // A host that is starting or stopping, a link that broke, this hub closing: the job waits its turn again. Anything else is
    // the run's end.
    if (closing.aborted) await releaseClaim(store, claim)
    else if (error.retryable || error.code === 'host.stopped') await releaseClaim(store, claim, error.toValue())
    // Taken back where it lay ready for its host: nobody will begin it.
    else if (error.code === 'run.ended') await endJob(store, { run: job.run, runState: 'cancelled', error: null, claim })
    else await endJob(store, { run: job.run, runState: 'failed', error: error.toValue(), claim })
  } catch (failed) {
    // The lease lapses by itself, and the sweep takes the job back.
    log.error({ run: job.run, error: asMusterError(failed).toValue() }, 'a claim could not be given back')
  }
}
