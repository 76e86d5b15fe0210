// Follows each host's journal while its link is up: what its runs do reaches the queue, and for mirrored hosts the mirror.
// It resumes after the last position that was stored durably, so a broken link or a killed hub costs a repeat at most, never a gap.

import type { Logger } from 'pino'
import type { LinkState } from '../connectors/port.ts'
import type { Caller } from '../contract/caller.ts'
import { asMusterError } from '../contract/errors.ts'
import { followJournal, type JournalEntry } from '../contract/event.ts'
import type { HostInfo } from '../contract/host.ts'
import { pause } from '../contract/pause.ts'
import type { Run } from '../contract/run.ts'
import { endedUnnoticed } from '../store/ended-unnoticed.ts'
import { saveHealth } from '../store/health.ts'
import { advanceCursor, mirrorCursor, mirrorEntries } from '../store/runs.ts'
import type { Store } from '../store/store.ts'
import type { HubApprovals } from './approvals/approvals.ts'
import { batches } from './batches.ts'
import type { FleetHost } from './fleet.ts'
import type { FleetEvents } from './fleet-events.ts'
import type { Mirror } from './mirror.ts'
import { hearNode, type NodeEventsOf, nodeAllowance } from './node-events.ts'
import { askHowItIs, keepAnswer } from './probe.ts'
import type { Queue } from './queue.ts'
import { type RunEnds, tellRunEnds } from './run-events.ts'

const mostInABatch = 500
const infoEveryMs = 60_000
const infoDeadlineMs = 5_000
const againAfterMs = 1_000

export interface Followed {
  readonly store: Store
  readonly queue: Queue
  readonly mirror: Mirror
  readonly events: FleetEvents
  /** Told what a host has said of itself; may ask it for more. */
  readonly onSaid?: (host: FleetHost, info: HostInfo, caller: Caller) => Promise<void>
  /** What the host asks people is read over the same link. */
  readonly approvals: Pick<HubApprovals, 'read'>
  readonly log: Logger
}

/** Follows one host until disposed. Resolves its disposal once nothing is being written any more. */
export function followHost(host: FleetHost, to: Followed): AsyncDisposable {
  const allowance = nodeAllowance()
  let session = startSession(host.connector.state)
  const stopWatching = host.connector.onChange((state) => {
    const former = session
    session = startSession(state, former.done)
    former.end()
  })

  function startSession(state: LinkState, after: Promise<void> = Promise.resolve()) {
    const ending = new AbortController()
    const work =
      state.status === 'online'
        ? () => whileOnline(host, state.caller, { ...to, allowance }, ending.signal)
        : () => noteAbsence(host, to)
    const done = after.then(work).catch((error) => {
      if (!ending.signal.aborted)
        to.log.error({ host: host.name, error: asMusterError(error).toValue() }, 'a host could not be followed')
    })
    return { done, end: () => ending.abort() }
  }

  return {
    async [Symbol.asyncDispose]() {
      stopWatching()
      session.end()
      await session.done
    },
  }
}

async function noteAbsence(host: FleetHost, to: Followed): Promise<void> {
  const { store } = to
  const { state } = host.connector
  await noteEnded(host, to)
  if (state.status === 'offline') await saveHealth(store, host.id, { lastSeenAt: state.since })
}

async function whileOnline(
  host: FleetHost,
  caller: Caller,
  to: Followed & Pick<NodeEventsOf, 'allowance'>,
  signal: AbortSignal,
): Promise<void> {
  to.queue.claim()
  await using _info = askForInfo(host, caller, to)
  await using _node = whileDoing(hearNode(host, caller, to, signal))
  await using _approvals = to.approvals.read(host, caller)
  using ends = tellRunEnds(host, to.events)
  if (host.connector.traits.mirrored) to.mirror.resume(host.id, caller, signal)
  // A journal that cannot be taken in (a full disk, say) is asked for again, from the last position that was stored.
  while (!signal.aborted && host.connector.state.status === 'online') {
    try {
      await readJournal(host, caller, to, ends, signal)
    } catch (error) {
      if (signal.aborted) return
      to.log.warn({ host: host.name, error: asMusterError(error).toValue() }, 'the journal broke off')
    }
    await pause(againAfterMs, signal)
  }
}

async function readJournal(host: FleetHost, caller: Caller, to: Followed, ends: RunEnds, signal: AbortSignal): Promise<void> {
  await noteEnded(host, to)
  const after = await mirrorCursor(to.store, host.id)
  // Of this reading alone: an entry that cannot be taken in ends it at the host too, before the journal is asked for again.
  const reading = new AbortController()
  try {
    const journal = caller.items(followJournal, { after, follow: true }, { signal: AbortSignal.any([signal, reading.signal]) })
    for await (const entries of batches(journal, { most: mostInABatch })) {
      await takeIn(host, entries, caller, to, signal)
      ends.note(entries)
    }
  } finally {
    reading.abort()
  }
}

/** The mirror takes in a run's end before its job does: a hub that was killed, or a store that failed, between the two makes up for it. */
async function noteEnded(host: FleetHost, { store, queue }: Followed): Promise<void> {
  if (!host.connector.traits.mirrored) return
  for (const run of await endedUnnoticed(store, host.id)) await queue.note(host.id, run)
}

async function takeIn(
  host: FleetHost,
  entries: JournalEntry[],
  caller: Caller,
  to: Followed,
  signal: AbortSignal,
): Promise<void> {
  if (host.connector.traits.mirrored) {
    const runs = await mirrorEntries(to.store, host.id, entries)
    for (const run of runs) to.mirror.note(host.id, run, caller, signal)
    await Promise.all(runs.map((run) => to.queue.note(host.id, run)))
    return
  }
  await Promise.all(changesIn(entries).map((run) => to.queue.note(host.id, run)))
  await advanceCursor(to.store, host.id, entries.at(-1)?.position ?? 0)
}

function changesIn(entries: JournalEntry[]): Pick<Run, 'id' | 'state' | 'error'>[] {
  return entries.flatMap(({ run, event }) =>
    event.type === 'state' ? [{ id: run, state: event.state, error: event.error ?? null }] : [],
  )
}

/** Is over when the work is, which ends with the link's own signal. */
function whileDoing(work: Promise<void>): AsyncDisposable {
  return { [Symbol.asyncDispose]: () => work }
}

/** Keeps what the host last said of itself, now and every minute. */
function askForInfo(host: FleetHost, caller: Caller, { store, onSaid, log }: Followed): AsyncDisposable {
  const ask = async () => {
    try {
      const answered = await askHowItIs(caller, infoDeadlineMs)
      await keepAnswer(host, answered, store)
      await onSaid?.(host, answered.info, caller)
    } catch (error) {
      log.debug({ host: host.name, error: asMusterError(error).toValue() }, 'the host did not say how it is')
    }
  }
  let asking = ask()
  const timer = setInterval(() => {
    asking = asking.then(ask)
  }, infoEveryMs)
  return {
    async [Symbol.asyncDispose]() {
      clearInterval(timer)
      await asking
    },
  }
}
