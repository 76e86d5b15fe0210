// Reads what a host asks, for as long as its link is up, resumed after the last change that was stored. Whose question it is, is said by
// the link over which it came, and what it asks is only believed where its digest is of just that.

import type { Logger } from 'pino'
import { type Approval, type ApprovalChange, followApprovals, largestQuestionCharacters } from '../../contract/approval.ts'
import type { Caller } from '../../contract/caller.ts'
import { asMusterError } from '../../contract/errors.ts'
import { pause } from '../../contract/pause.ts'
import { digestOf } from '../../store/approval-digest.ts'
import { lastApprovalPosition, type PositionedApproval, takeInApprovals } from '../../store/approvals.ts'
import type { Store } from '../../store/store.ts'
import { batches } from '../batches.ts'
import type { FleetHost } from '../fleet.ts'

const mostInABatch = 50
const againAfterMs = 1_000

/** A host that cannot be asked this at all, however often: an older one, or one that does not let this hub. */
const final = new Set(['operation.unknown', 'auth.forbidden', 'host.version', 'host.token_role'])

export interface ReadInto {
  readonly store: Store
  readonly log: Logger
  /** Told what is new of a host, after it was stored. */
  readonly onChange: (host: string, changed: readonly Approval[]) => void
}

/** Reads until disposed. */
export function readApprovals(host: FleetHost, caller: Caller, into: ReadInto): AsyncDisposable {
  const ending = new AbortController()
  const reading = readOn(host, caller, into, ending.signal)
  return {
    async [Symbol.asyncDispose]() {
      ending.abort()
      await reading
    },
  }
}

async function readOn(host: FleetHost, caller: Caller, into: ReadInto, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    try {
      await readOnce(host, caller, into, signal)
    } catch (thrown) {
      if (signal.aborted) return
      const error = asMusterError(thrown)
      if (final.has(error.code)) return into.log.debug({ host: host.name, error: error.toValue() }, 'this host asks nothing')
      into.log.warn({ host: host.name, error: error.toValue() }, 'what the host asks could not be read; trying again')
    }
    await pause(againAfterMs, signal)
  }
}

async function readOnce(host: FleetHost, caller: Caller, into: ReadInto, signal: AbortSignal): Promise<void> {
  const after = await lastApprovalPosition(into.store, host.id)
  // Of this reading alone: an entry that cannot be taken in ends it at the host too.
  const reading = new AbortController()
  try {
    const changes = caller.items(followApprovals, { after, follow: true }, { signal: AbortSignal.any([signal, reading.signal]) })
    for await (const batch of batches(changes, { most: mostInABatch })) await takeIn(host, batch, into)
  } finally {
    reading.abort()
  }
}

async function takeIn(host: FleetHost, batch: readonly ApprovalChange[], { store, log, onChange }: ReadInto): Promise<void> {
  const entries = batch.flatMap((change) => checked(change) ?? [])
  if (entries.length < batch.length) {
    log.warn(
      { host: host.name, left: batch.length - entries.length },
      'what the host asks is not what its digest is of; left out',
    )
  }
  const { changed, refused } = await takeInApprovals(store, host.id, entries)
  const [first] = refused
  if (first) {
    const about = { host: host.name, approval: first.id, left: refused.length }
    log.warn(about, 'the host asks otherwise under a known id, or too much at once; left out')
  }
  if (changed.length > 0) onChange(host.id, changed)
}

/** By this hub's own clock: the host's may be any. Undefined for what is none. */
function checked(change: ApprovalChange): PositionedApproval | undefined {
  const { data } = followApprovals.output.safeParse(change)
  if (!data || digestOf(data.approval.asked) !== data.approval.digest) return undefined
  const { position, approval, remainingMs } = data
  if (JSON.stringify(approval.asked).length > largestQuestionCharacters) return undefined
  if (approval.state !== 'pending') return { position, approval: { ...approval, createdAt: notLater(approval.createdAt) } }
  const whole = Date.parse(approval.expiresAt) - Date.parse(approval.createdAt)
  const expiresAtMs = Date.now() + Math.min(remainingMs, longestMs)
  const at = (ms: number) => new Date(ms).toISOString()
  const createdAt = at(expiresAtMs - Math.min(Math.max(whole, remainingMs), longestMs))
  return { position, approval: { ...approval, createdAt, expiresAt: at(expiresAtMs) } }
}

/** What was asked tomorrow would be kept for ever. */
function notLater(time: string): string {
  const now = new Date().toISOString()
  return time < now ? time : now
}

/** No question waits longer, whatever its host says. */
const longestMs = 3600_000
