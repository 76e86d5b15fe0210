// Runs over the whole fleet: each host is asked for its newest, all at once and within a deadline, and the answers are merged.
// A host that does not answer in time is named; the rest of the list is intact.

import { asMusterError, failure } from '../contract/errors.ts'
import type { findRun, listFleetRuns } from '../contract/fleet.ts'
import type { OutputOf, ParsedOf } from '../contract/operation.ts'
import { getRun, listRuns, type Run } from '../contract/run.ts'
import { getJob, listWaitingJobs } from '../store/jobs/find.ts'
import type { Job } from '../store/jobs/job.ts'
import { type RunFilter, runCursor } from '../store/runs.ts'
import type { Store } from '../store/store.ts'
import type { Fleet, FleetHost } from './fleet.ts'
import type { HostDoor } from './host-door.ts'
import { runOfJob } from './waiting-run.ts'

export interface FleetRuns {
  list(input: ParsedOf<typeof listFleetRuns>): Promise<OutputOf<typeof listFleetRuns>>
  find(input: ParsedOf<typeof findRun>): Promise<Run>
}

export function fleetRuns({ store, fleet, door }: { store: Store; fleet: Fleet; door: HostDoor }): FleetRuns {
  return { list, find }

  async function list({
    host: ref,
    deadlineMs,
    ...filter
  }: ParsedOf<typeof listFleetRuns>): Promise<OutputOf<typeof listFleetRuns>> {
    const hosts = ref === undefined ? fleet.all() : [fleet.find(ref)]
    // The queue first: what leaves it meanwhile is then on both lists, where it counts once, and not on neither.
    const waiting = await waitingRuns(hosts, filter)
    const answers = await Promise.all(
      hosts.map((host) => ask(host, () => door.caller(host).call(listRuns, filter, { timeoutMs: deadlineMs }))),
    )
    const reached = answers.flatMap((answer) => ('answer' in answer ? [answer.answer] : []))
    const known = onceEach([...waiting, ...reached.flatMap(({ runs }) => runs)]).sort(newestFirst)
    const runs = known.slice(0, filter.limit)
    const more = known.length > runs.length || reached.some(({ next }) => next !== null)
    const last = runs.at(-1)
    return {
      runs,
      next: more && last ? runCursor(last) : null,
      unanswered: [...answers.flatMap((answer) => ('unanswered' in answer ? [answer.unanswered] : [])), ...absent(hosts)],
    }
  }

  async function find({ run }: ParsedOf<typeof findRun>): Promise<Run> {
    const job = await getJob(store, run)
    const owner = job && fleet.byId(job.host)
    if (owner) return door.caller(owner).call(getRun, { run })
    const deadlineMs = 2_000
    const answers = await Promise.all(
      fleet.all().map((host) => ask(host, () => door.caller(host).call(getRun, { run }, { timeoutMs: deadlineMs }))),
    )
    const found = answers.find((answer) => 'answer' in answer)
    if (!found) throw failure('run.unknown', { run })
    return found.answer
  }

  /** Runs that only the queue knows: waiting, or ended before any host had them. One more than a page, which tells that there is a next. */
  async function waitingRuns(hosts: readonly FleetHost[], filter: Omit<RunFilter, 'host'>): Promise<Run[]> {
    const byId = new Map(hosts.map((host) => [host.id, host]))
    const jobs: Job[] = await listWaitingJobs(store, { ...filter, limit: filter.limit + 1, hosts: [...byId.keys()] })
    return jobs.map((job) => runOfJob(byId.get(job.host) as FleetHost, job))
  }
}

type Answer<T> = { answer: T } | { unanswered: { host: string; reason: string; since: string | null } }

async function ask<T>(host: FleetHost, question: () => Promise<T>): Promise<Answer<T>> {
  try {
    return { answer: await question() }
  } catch (error) {
    return { unanswered: { host: host.name, reason: asMusterError(error).message, since: host.connector.state.since } }
  }
}

/** Mirrored hosts answer from the copy; that it may be old is said all the same. */
function absent(hosts: readonly FleetHost[]): { host: string; reason: string; since: string | null }[] {
  return hosts.flatMap(({ name, connector: { traits, state } }) =>
    traits.mirrored && state.status === 'offline' ? [{ host: name, reason: state.reason, since: state.since }] : [],
  )
}

/** The later of two with the same address wins: what the host says, over what its job says. */
function onceEach(runs: Run[]): Run[] {
  return [...new Map(runs.map((run) => [`${run.host}/${run.id}`, run])).values()]
}

function newestFirst(a: Run, b: Run): number {
  if (a.createdAt !== b.createdAt) return a.createdAt < b.createdAt ? 1 : -1
  return a.id < b.id ? 1 : -1
}
