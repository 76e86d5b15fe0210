// The host's side of approvals: asks, waits, and decides what an answer is worth. An answer counts once, for the digest that was shown,
// while the question is pending and its time is not over; whatever goes wrong meanwhile runs nothing.
//
// A question whose hub is lost stays pending: the hub reads it again when it is back, and who asks for exactly the same takes its place.
// A question whose asker has left it, or whose host was restarted, ends `unavailable`, since nobody waits for what it would run.

import type { Logger } from 'pino'
import { ulid } from 'ulidx'
import {
  type Answer,
  type Approval,
  type ApprovalOutcome,
  type ApprovalState,
  followApprovals,
  forgetApproval,
  resolveApproval,
} from '../../contract/approval.ts'
import { asMusterError, failure, hasCode } from '../../contract/errors.ts'
import { type Bound, implement } from '../../contract/implementation.ts'
import { digestOf, shapeOf } from '../../store/approval-digest.ts'
import {
  approvalChanges,
  askApproval,
  type Ending,
  endApproval,
  endUnattended,
  findApproval,
  lastApprovalPosition,
  spendApproval,
} from '../../store/approvals.ts'
import { makeBell } from '../../store/bell.ts'
import type { Store } from '../../store/store.ts'
import { untilStored } from '../../store/until-stored.ts'
import { setAlarm } from '../alarm.ts'
import { makeQueue, type Serially } from '../serially.ts'
import { filesOf } from './files.ts'
import { countFollowers } from './followers.ts'
import { openGrants } from './grants.ts'
import { bindQuestion, type Question } from './question.ts'

export interface Approvals extends AsyncDisposable {
  /**
   * Asks people, and resolves with what became of it; `onAsked` is told what they see. Rejects when the asker leaves, with his reason,
   * and with `approval.too_many`, `approval.too_often`, `approval.too_large`, `approval.changed` or `store.unavailable`.
   */
  ask(question: Question, signal: AbortSignal, onAsked?: (approval: Approval) => void): Promise<ApprovalOutcome>
  /** What a hub reads and answers. */
  readonly operations: readonly Bound[]
}

export interface ApprovalsOf {
  readonly store: Store
  /** The id under which the store keeps this host's own. */
  readonly host: string
  /** What the host calls itself. */
  readonly name: string
  readonly log: Logger
  readonly times?: Partial<typeof usualTimes>
}

const usualTimes = { expiryMs: 10 * 60_000, patienceMs: 5_000, sessionMs: 12 * 3600_000 }
const limits = { pending: 20, anHour: 60, anHourOfHub: 600 }
const pageSize = 100

/** A question whose end this process is waiting for. */
interface Live {
  approval: Approval
  /** What the files of its argument list were when it was asked. */
  readonly files: string
  /** Whether somebody waits for it, and begins at once what is approved. */
  attended: boolean
  spent: boolean
  /** Whether a hub's reader has it: it came back for what is next. One that hands it on comes back when it has handed it on. */
  isRead: boolean
  readonly endsAtMs: number
  readonly over: PromiseWithResolvers<ApprovalOutcome>
  readonly takeTurn: Serially
  disarm: () => void
}

/** Ends what a former life of this host has left; nothing may be asked before. */
export async function openApprovals({ store, host, name, log, times = {} }: ApprovalsOf): Promise<Approvals> {
  const { expiryMs, patienceMs, sessionMs } = { ...usualTimes, ...times }
  const lives = new Map<string, Live>()
  const grants = openGrants(sessionMs)
  const followers = countFollowers()
  const changed = makeBell()
  const closing = new AbortController()
  await endUnattended(store, host, resolution(null, 'the host was restarted, and who asked is gone'))

  async function ask(
    question: Question,
    signal: AbortSignal,
    onAsked: (approval: Approval) => void = () => {},
  ): Promise<ApprovalOutcome> {
    signal.throwIfAborted()
    const asked = bindQuestion(name, question)
    const granted = grants.covering(shapeOf(asked))
    if (granted) return { outcome: 'approved_session', by: granted.by }
    const digest = digestOf(asked)
    const files = await filesOf(question)
    const left = await takeLeft(digest, files)
    const live = left ?? (await begin(question, { asked, digest, files }))
    onAsked(live.approval)
    const outcome = await attend(live, signal)
    if (isYes(outcome.outcome) && (await filesOf(question)) !== files)
      throw failure('approval.changed', { what: `The program of ${live.approval.id}, or a file that it is given,` })
    return outcome
  }

  async function begin(
    question: Question,
    { asked, digest, files }: Pick<Approval, 'asked' | 'digest'> & Pick<Live, 'files'>,
  ): Promise<Live> {
    const now = Date.now()
    const approval: Approval = {
      id: `apr_${ulid()}`,
      state: 'pending',
      digest,
      asked,
      reason: question.reason,
      cause: question.cause,
      createdAt: new Date(now).toISOString(),
      expiresAt: new Date(now + expiryMs).toISOString(),
      resolution: null,
    }
    await askApproval(store, host, approval, limits)
    const live: Live = {
      approval,
      files,
      attended: true,
      spent: false,
      isRead: false,
      endsAtMs: performance.now() + expiryMs,
      over: Promise.withResolvers(),
      takeTurn: makeQueue(),
      disarm: setAlarm(expiryMs, () => void expire(live)),
    }
    // Told to who waits; where nobody does, nobody need hear it.
    live.over.promise.catch(() => undefined)
    lives.set(approval.id, live)
    changed.ring()
    return live
  }

  /** One that was asked over a link that broke: the same question goes on from there. What was approved meanwhile is spent on it. */
  async function takeLeft(digest: string, files: string): Promise<Live | undefined> {
    for (const live of lives.values()) {
      if (live.attended || live.spent || isPast(live) || live.approval.digest !== digest || live.files !== files) continue
      live.attended = true
      if (!isYes(live.approval.state)) return live
      live.spent = true
      drop(live)
      if (await spendApproval(store, host, live.approval.id)) return live
    }
    return undefined
  }

  /** Waits for the end of a question, which the asker may leave. */
  async function attend(live: Live, signal: AbortSignal): Promise<ApprovalOutcome> {
    const left = Promise.withResolvers<never>()
    const leave = () => {
      live.attended = false
      if (isOver(signal.reason)) void lapse(live, 'unavailable', 'who asked did not wait for the answer')
      left.reject(signal.reason)
    }
    signal.addEventListener('abort', leave, { once: true })
    if (signal.aborted) leave()
    void endUnread(live)
    try {
      return await Promise.race([live.over.promise, left.promise])
    } finally {
      signal.removeEventListener('abort', leave)
    }
  }

  /** Nobody can answer what no hub reads. */
  async function endUnread(live: Live): Promise<void> {
    if (await followers.within(live.approval.asked.hub, patienceMs, closing.signal)) return
    if (!closing.signal.aborted) await lapse(live, 'unavailable', 'no hub reads what this host asks')
  }

  async function expire(live: Live): Promise<void> {
    // Approved while nobody waited, and not taken up in time.
    if (live.approval.state !== 'pending') return drop(live)
    const isRead = live.isRead && followers.has(live.approval.asked.hub)
    await lapse(live, isRead ? 'timeout' : 'unavailable', isRead ? 'nobody answered in time' : 'no hub has read it in time')
  }

  /** Ends it without an answer. Who waits is told at once; a store that takes nothing for a while is told when it does. */
  async function lapse(live: Live, state: 'timeout' | 'unavailable', reason: string): Promise<void> {
    const ending: Ending = { state, resolution: resolution(null, reason), spent: false }
    const isMine = await live.takeTurn(async () => {
      if (live.approval.state !== 'pending') return false
      settle(live, { ...live.approval, state, resolution: ending.resolution }, false)
      return true
    })
    if (!isMine) return
    try {
      await untilStored(() => endApproval(store, host, live.approval.id, ending), closing.signal)
    } catch (error) {
      log.warn({ approval: live.approval.id, error: asMusterError(error).toValue() }, 'the end of an approval was not stored')
    }
    drop(live)
    changed.ring()
  }

  /** Ends it by an answer, durable before anybody hears of it. Undefined: it was over before. */
  function answer(live: Live, state: Answer, by: string, reason: string | null): Promise<Approval | undefined> {
    return live.takeTurn(async () => {
      if (live.approval.state !== 'pending') return undefined
      const spent = live.attended && isYes(state)
      const ended = await endApproval(store, host, live.approval.id, { state, resolution: resolution(by, reason), spent })
      if (!ended) return undefined
      if (state === 'approved_session') {
        const { asked } = ended
        grants.add({ approval: ended.id, hub: asked.hub, shape: shapeOf(asked), by })
      }
      settle(live, ended, spent)
      // What was approved while nobody waits is kept for who asks again, until its time is over.
      if (spent || !isYes(state)) drop(live)
      changed.ring()
      return ended
    })
  }

  function settle(live: Live, ended: Approval, spent: boolean): void {
    live.approval = ended
    live.spent = spent
    const { by, reason } = ended.resolution ?? {}
    live.over.resolve({ outcome: ended.state as ApprovalOutcome['outcome'], ...(by && { by }), ...(reason && { reason }) })
  }

  function drop(live: Live): void {
    live.disarm()
    lives.delete(live.approval.id)
  }

  async function* changes(hub: string, { after, follow }: { after: number; follow: boolean }, signal: AbortSignal) {
    using _reading = follow ? followers.enter(hub) : undefined
    // Who has read further than there is has read another life of this host: its numbers begin anew.
    let position = after > (await lastApprovalPosition(store, host)) ? 0 : after
    for (;;) {
      const seen = changed.rings
      const page = await approvalChanges(store, host, { hub, after: position, limit: pageSize })
      for (const { position: at, approval } of page) {
        yield { position: at, approval, remainingMs: remainingMs(approval.id) }
        position = at
        const live = lives.get(approval.id)
        if (live && follow) live.isRead = true
      }
      if (page.length === pageSize) continue
      if (!follow) return
      await changed.after(seen, signal)
      signal.throwIfAborted()
    }
  }

  function remainingMs(id: string): number {
    const live = lives.get(id)
    return live ? Math.max(0, Math.round(live.endsAtMs - performance.now())) : 0
  }

  const operations = [
    implement(followApprovals, (from, { principal, signal }) => changes(principal.id, from, signal)),

    implement(resolveApproval, async ({ approval: id, digest, outcome, reason, by }, { principal }) => {
      const known = await findApproval(store, id)
      // What was asked of another hub is none of this one's business.
      if (!known || known.approval.asked.hub !== principal.id) throw failure('approval.unknown', { approval: id })
      const live = lives.get(id)
      if (live?.approval.state !== 'pending') throw overWith(live?.approval ?? known.approval)
      if (live.approval.digest !== digest) throw failure('approval.changed', { what: `Approval ${id}` })
      if (outcome === 'approved_session' && live.approval.asked.session === null) {
        throw failure('approval.no_session', { approval: id })
      }
      // A timer that is late opens nothing.
      if (isPast(live)) await expire(live)
      const ended = await answer(live, outcome, by ?? principal.id, reason ?? null)
      if (!ended) throw overWith(live.approval)
      return ended
    }),

    implement(forgetApproval, async ({ approval }, { principal }) => ({ taken: grants.forget(approval, principal.id) })),
  ]

  return {
    ask,
    operations,
    async [Symbol.asyncDispose]() {
      closing.abort(failure('host.stopped'))
      for (const live of lives.values()) {
        live.disarm()
        live.over.reject(failure('host.stopped'))
      }
      await Promise.all([...lives.values()].map(({ takeTurn }) => takeTurn(async () => undefined)))
    },
  }
}

function resolution(by: string | null, reason: string | null) {
  return { at: new Date().toISOString(), by, reason }
}

function isYes(state: ApprovalState): boolean {
  return state === 'approved' || state === 'approved_session'
}

/** By a clock that nobody sets, and by the one that goes on while the machine sleeps: the first that has run out ends it. */
function isPast({ endsAtMs, approval: { expiresAt } }: Live): boolean {
  return performance.now() >= endsAtMs || Date.now() >= Date.parse(expiresAt)
}

/** The asker will not come back for it: it was cancelled, or its time is over. A link that broke says nothing of the kind. */
function isOver(reason: unknown): boolean {
  return hasCode(reason, 'call.cancelled') || hasCode(reason, 'call.deadline')
}

function overWith({ id, state }: Approval) {
  return failure('approval.resolved', { approval: id, state })
}
