// Asks a host how it is: what it says of itself, how long that took, and how far its clock is off.
// Used for the minute's health, for `host show`, `host list --probe` and for a host that was just added.

import type { Connector, LinkState } from '../connectors/port.ts'
import type { Caller } from '../contract/caller.ts'
import { asMusterError, MusterError } from '../contract/errors.ts'
import { getHostInfo, type HostInfo, type Probe } from '../contract/host.ts'
import { saveHealth } from '../store/health.ts'
import type { Store } from '../store/store.ts'
import type { FleetHost } from './fleet.ts'

/** A way that does not work says so by then; where all is well, a host that polls may take as long as it likes. */
const noTroubleWithinMs = 2_000

export interface Answered {
  readonly info: HostInfo
  readonly roundTripMs: number
  /** Its clock minus this hub's. Half the round trip is how wrong it can be. */
  readonly clockOffsetMs: number
}

/** Rejects as the call does. */
export async function askHowItIs(caller: Caller, timeoutMs: number): Promise<Answered> {
  const askedAt = Date.now()
  const asked = performance.now()
  const info = await caller.call(getHostInfo, {}, { timeoutMs })
  const roundTripMs = performance.now() - asked
  // The host looked at its clock about half-way. (Zero is added so that there is no -0.)
  const clockOffsetMs = Math.round(Date.parse(info.clock) - askedAt - roundTripMs / 2) + 0
  return { info, roundTripMs: Math.round(roundTripMs), clockOffsetMs }
}

export async function keepAnswer({ id }: FleetHost, { info, clockOffsetMs }: Answered, store: Store): Promise<void> {
  await saveHealth(store, id, { lastSeenAt: new Date().toISOString(), info, clockOffsetMs })
}

/** Asks a host that can be asked at once. Never rejects: a host that does not answer is an answer too. Null: it was not asked. */
export async function probe(host: FleetHost, store: Store, deadlineMs: number): Promise<Probe | null> {
  const { state, traits } = host.connector
  if (traits.deferred) return null
  if (state.status !== 'online') return unanswered(state.reason ?? 'it has never been reached')
  const answered = await askHowItIs(state.caller, deadlineMs).catch(asMusterError)
  if (answered instanceof MusterError) return unanswered(answered.message)
  // A store that takes nothing is no fault of the host's, and says so itself.
  await keepAnswer(host, answered, store).catch(() => undefined)
  return { answered: true, roundTripMs: answered.roundTripMs, problem: null }
}

/** The same for a host whose link is only being made: waits until it is up, or has failed, or the deadline has come. */
export async function probeNew(host: FleetHost, store: Store, deadlineMs: number): Promise<Probe | null> {
  const { connector } = host
  const started = performance.now()
  await linkDecided(connector, connector.traits.deferred ? Math.min(deadlineMs, noTroubleWithinMs) : deadlineMs)
  // Nobody may have begun to poll for it yet; that the way to it is broken is known all the same.
  if (connector.traits.deferred) {
    return connector.state.status === 'online' || connector.state.reason === undefined ? null : unanswered(connector.state.reason)
  }
  return probe(host, store, Math.max(1, deadlineMs - (performance.now() - started)))
}

/** The same for a host whose link was closed a moment ago and is being made anew. */
export async function probeRenewed(host: FleetHost, store: Store, deadlineMs: number): Promise<Probe | null> {
  const { connector } = host
  const begun = connector.state
  const started = performance.now()
  await linkDecided(connector, deadlineMs, (state) => state.status === 'online' || state !== begun)
  return probe(host, store, Math.max(1, deadlineMs - (performance.now() - started)))
}

function unanswered(problem: string): Probe {
  return { answered: false, roundTripMs: null, problem: problem.replace(/\.$/, '') }
}

async function linkDecided(
  connector: Connector,
  deadlineMs: number,
  isDecided: (state: LinkState) => boolean = isFirstTryOver,
): Promise<void> {
  if (isDecided(connector.state)) return
  const decided = Promise.withResolvers<void>()
  const stopWatching = connector.onChange((state) => {
    if (isDecided(state)) decided.resolve()
  })
  const timer = setTimeout(decided.resolve, deadlineMs)
  try {
    await decided.promise
  } finally {
    clearTimeout(timer)
    stopWatching()
  }
}

/** A first try that failed leaves it never seen, with a reason. */
function isFirstTryOver(state: LinkState): boolean {
  return state.status !== 'never_seen' || state.reason !== undefined
}
