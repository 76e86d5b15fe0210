// The hub's side of approvals: keeps what its hosts ask, shows it, and carries people's answers back. It decides nothing: whether an
// answer counts is the host's to say. Who answers is stamped here, from the connection.

import type { Logger } from 'pino'
import {
  type Answer,
  Approval,
  approveApproval,
  denyApproval,
  type FleetApproval,
  forgetApproval,
  linkApproval,
  listApprovals,
  resolveApproval,
  revokeApproval,
  showApproval,
} from '../../contract/approval.ts'
import type { Caller } from '../../contract/caller.ts'
import { asMusterError, failure, hasCode } from '../../contract/errors.ts'
import { type Bound, type CallContext, implement } from '../../contract/implementation.ts'
import type { ParsedOf } from '../../contract/operation.ts'
import {
  endOverdue,
  findApproval,
  forgetOldCopies,
  listApprovals as listed,
  mostPendingCopies,
  noteAnswer,
  takeInApprovals,
} from '../../store/approvals.ts'
import type { Store } from '../../store/store.ts'
import type { Fleet, FleetHost } from '../fleet.ts'
import { limitTries } from '../tries.ts'
import { personOf } from '../who-asks.ts'
import { type ApprovalLinks, type LinksOf, openLinks } from './links.ts'
import { type PlacedApproval, withNames } from './people.ts'
import { readApprovals } from './read.ts'

/** What is told to whoever listens. An expiry is a resolution too. */
export interface ApprovalNews {
  readonly topic: 'approval.requested' | 'approval.resolved'
  readonly approval: PlacedApproval
}

export interface HubApprovals extends AsyncDisposable {
  readonly operations: readonly Bound[]
  readonly links: ApprovalLinks
  /** Whether this host waits for an answer about this command, whoever wants it run: another hub before the host has its own names for people. */
  isAsked(host: string, command: string): Promise<boolean>
  /** The id of the host that has asked it; null where there is no such approval. */
  hostOf(approval: string): Promise<string | null>
  /**
   * What a person has sent to the host's own operation: the same answer as at the hub, with who it was. Rejects with `approval.unknown`
   * where this host has not asked it.
   */
  answerOf(host: string, input: ParsedOf<typeof resolveApproval>, context: CallContext): Promise<Approval>
  /** Reads what a host asks over this link, until disposed. */
  read(host: FleetHost, caller: Caller): AsyncDisposable
}

export interface HubApprovalsOf {
  readonly store: Store
  readonly fleet: Fleet
  /** Where the key that signs links is kept. */
  readonly dir: string
  readonly log: Logger
  /** This hub's own address. */
  readonly url: () => string
  readonly publish: (news: ApprovalNews) => void
  readonly mayStillApprove: LinksOf['mayStillApprove']
  readonly record: LinksOf['record']
}

const answerWithinMs = 30_000
/** A host that polls answers at its next look. */
const deferredAnswerWithinMs = 10 * 60_000
const lookEveryMs = 5_000
const forgetEveryMs = 3600_000
/** No host may push what others tell out of the history: of one that asks without end, the rest is in the list alone. */
const mostTold = 500
const toldWindowMs = 10 * 60_000
/** What a host says of the end of its own question is waited for this long. */
const graceMs = 10_000

export async function openHubApprovals(of: HubApprovalsOf): Promise<HubApprovals> {
  const { store, fleet, dir, log, url, publish, mayStillApprove, record } = of
  const placed = (host: string, approval: Approval): PlacedApproval => ({
    ...approval,
    host: fleet.byId(host)?.name ?? host,
    hostId: host,
  })

  const told = limitTries({ windowMs: toldWindowMs, mostOfOne: mostTold })

  async function show(id: string): Promise<FleetApproval> {
    const { host, approval } = await find(id)
    const [shown] = await withNames(store, [placed(host, approval)])
    return shown as FleetApproval
  }

  function tell(host: string, changed: readonly Approval[]): void {
    for (const approval of changed) {
      if (told.waitMs(host) > 0) continue
      told.note(host)
      publish({
        topic: approval.state === 'pending' ? 'approval.requested' : 'approval.resolved',
        approval: placed(host, approval),
      })
    }
  }

  async function find(id: string): Promise<{ host: string; approval: Approval }> {
    const found = await findApproval(store, id)
    if (!found) throw failure('approval.unknown', { approval: id })
    return found
  }

  interface Given {
    readonly approval: string
    readonly digest: string
    readonly outcome: Answer
    readonly reason: string | undefined
    readonly by: string
  }

  /** One answer to a question at a time: the second hears what became of the first. */
  const turns = new Map<string, Promise<unknown>>()
  function answer(given: Given, signal?: AbortSignal): Promise<FleetApproval> {
    const { approval: id } = given
    const work = () => answerInTurn(given, signal)
    const mine = (turns.get(id) ?? Promise.resolve()).then(work, work)
    turns.set(id, mine)
    const leave = () => {
      if (turns.get(id) === mine) turns.delete(id)
    }
    mine.then(leave, leave)
    return mine
  }

  /** Who answers is on disk before the host hears of it. */
  async function answerInTurn(
    { approval: id, digest, outcome, reason, by }: Given,
    signal: AbortSignal | undefined,
  ): Promise<FleetApproval> {
    const { host, approval } = await find(id)
    if (approval.state !== 'pending') throw failure('approval.resolved', { approval: id, state: approval.state })
    if (approval.digest !== digest) throw failure('approval.changed', { what: `Approval ${id}` })
    const to = callerOf(fleet, host)
    const former = await noteAnswer(store, id, { outcome, by })
    const answered = await to.caller
      .call(
        resolveApproval,
        { approval: id, digest, outcome, by, ...(reason !== undefined && { reason }) },
        { timeoutMs: to.withinMs, ...(signal && { signal }) },
      )
      .catch(async (thrown: unknown) => {
        // It was somebody else's answer that counted: then his note is the one that is kept.
        if (hasCode(thrown, 'approval.resolved')) await noteAnswer(store, id, former)
        throw thrown
      })
    const { state, resolution } = resolveApproval.output.parse(answered)
    const { changed } = await takeInApprovals(store, host, [{ position: 0, approval: { ...approval, state, resolution } }])
    tell(host, changed)
    return show(id)
  }

  const links = await openLinks({
    store,
    dir,
    url,
    find: show,
    answer,
    mayStillApprove,
    record,
  })

  const operations = [
    implement(listApprovals, async ({ host: ref, states, all, limit }) => {
      const wanted = states ?? (all ? undefined : (['pending'] as const))
      const found = await listed(store, { host: ref === undefined ? undefined : fleet.find(ref).id, states: wanted, limit })
      return {
        approvals: await withNames(
          store,
          found.map(({ host, approval }) => placed(host, approval)),
        ),
      }
    }),
    implement(showApproval, ({ approval }) => show(approval)),
    implement(approveApproval, ({ session, approval, digest, reason }, { principal, signal }) =>
      answer({ approval, digest, outcome: session ? 'approved_session' : 'approved', reason, by: personOf(principal) }, signal),
    ),
    implement(denyApproval, ({ approval, digest, reason }, { principal, signal }) =>
      answer({ approval, digest, outcome: 'denied', reason, by: personOf(principal) }, signal),
    ),
    implement(revokeApproval, async ({ approval: id }, { signal }) => {
      const to = callerOf(fleet, (await find(id)).host)
      return to.caller.call(forgetApproval, { approval: id }, { signal, timeoutMs: to.withinMs })
    }),
    implement(linkApproval, (input, { principal }) => links.mint(input, principal)),
  ]

  const sweeping = setInterval(() => void sweep(), lookEveryMs)
  let swept: Promise<void> = Promise.resolve()
  let forgotAt = -Infinity
  /** Ends what should have ended by itself: its host is away, and has not said so. */
  function sweep(): Promise<void> {
    swept = swept
      .then(async () => {
        const ended = await endOverdue(store, new Date(Date.now() - graceMs).toISOString())
        for (const { host, approval } of ended) tell(host, [approval])
        if (performance.now() - forgotAt < forgetEveryMs) return
        await forgetOldCopies(store, Date.now())
        forgotAt = performance.now()
      })
      .catch((error) => log.warn({ error: asMusterError(error).toValue() }, 'approvals whose time is over could not be ended'))
    return swept
  }

  return {
    operations,
    links,
    async isAsked(host, command) {
      const waiting = await listed(store, { host, states: ['pending'], limit: mostPendingCopies })
      return waiting.some(({ approval: { asked } }) => asked.command === command)
    },
    hostOf: async (approval) => (await findApproval(store, approval))?.host ?? null,
    async answerOf(host, { approval, digest, outcome, reason }, { principal, signal }) {
      if ((await find(approval)).host !== host) throw failure('approval.unknown', { approval })
      return Approval.parse(await answer({ approval, digest, outcome, reason, by: personOf(principal) }, signal))
    },
    read: (host, caller) => readApprovals(host, caller, { store, log, onChange: tell }),
    async [Symbol.asyncDispose]() {
      clearInterval(sweeping)
      await swept
    },
  }
}

/** The way to the host that has asked. Throws `host.unknown`, `host.offline`. */
function callerOf(fleet: Fleet, id: string): { caller: Caller; withinMs: number } {
  const host = fleet.byId(id)
  if (!host) throw failure('host.unknown', { host: id })
  const { state, traits } = host.connector
  if (state.status === 'online')
    return { caller: state.caller, withinMs: traits.deferred ? deferredAnswerWithinMs : answerWithinMs }
  if (state.caller) return { caller: state.caller, withinMs: deferredAnswerWithinMs }
  throw failure('host.offline', { host: host.name, reason: state.reason ?? 'it has never been reached' })
}
