// The hub's side of a bucket: a host that is asked by signed objects and answers by signed objects, at its workers' next look.
// How it breaks: the store is away, or the workers are: then the host is offline, and what it is asked waits in the bucket.
// Several workers may look into one bucket: to the hub they are one host, and each of its runs is with one of them.
//
// This file looks into the bucket, again and again, and says how the link stands. What is heard is in hearing.ts, what is asked in asking.ts.

import { followApprovals } from '../../contract/approval.ts'
import { readArtifact } from '../../contract/artifact.ts'
import type { Caller, CallOptions } from '../../contract/caller.ts'
import { asMusterError, failure, type MusterError } from '../../contract/errors.ts'
import { followJournal } from '../../contract/event.ts'
import { followNodeEvents } from '../../contract/fleet-event.ts'
import { getHostInfo, type HostInfo } from '../../contract/host.ts'
import type { BytesOperation, ItemsOperation, Operation, UploadOperation } from '../../contract/operation.ts'
import { feedOutput } from '../../contract/output.ts'
import { isTerminal, writeStdin } from '../../contract/run.ts'
import { linkStateCell, offline } from '../link-state.ts'
import type { Connector, ConnectorContext, LinkState } from '../port.ts'
import { makeAnswers } from './answers.ts'
import { answersOfPeople } from './asked-of-people.ts'
import { openAsking } from './asking.ts'
import { makeBell } from './bell.ts'
import type { BucketConfig } from './config.ts'
import { openHearing } from './hearing.ts'
import type { Inbox } from './inbox.ts'
import { type Opened, openerOf } from './opened.ts'
import { type AskPiece, bytesInPieces, itemsInPieces, uploadInPieces } from './pieced.ts'
import { makePresence } from './presence.ts'

const defaultIntervalMs = 15_000
const soonMs = 1_000
const sweepEveryMs = 3600_000
const keepOverMs = 600_000
/** A worker that looks seldom, and a store that is slow. */
const pieceWithinMs = 600_000

export function connectBucket(config: BucketConfig, context: ConnectorContext): Connector {
  const { log, lastSeenAt } = context
  const intervalMs = config.intervalMs ?? defaultIntervalMs
  const closing = new AbortController()
  const wake = makeBell()
  const answers = makeAnswers(wake.ring)
  const presence = makePresence(intervalMs)
  const open = openerOf(config, context, closing.signal)
  const readNews = openHearing({ name: () => context.name, presence, answers, log })
  const asking = openAsking({ name: () => context.name, open, answers, closing: closing.signal, log })

  const caller: Caller = {
    call: answerCall,
    items: answerItems,
    bytes: answerBytes,
    upload: answerUpload,
  } as Caller
  const cell = linkStateCell(
    lastSeenAt === null
      ? { status: 'never_seen', since: null, caller }
      : { status: 'offline', since: lastSeenAt, reason: presence.reason, caller },
  )

  async function answerCall(
    operation: Operation,
    input: { run?: string; approval?: string },
    options?: CallOptions,
  ): Promise<unknown> {
    if (operation.name === getHostInfo.name) return hostInfo()
    if (!operation.deferrable) return refuse(operation)
    if (input.run !== undefined) return asking.call(operation, input.run, input, options)
    // What nobody hears would be carried out when nobody waits any more.
    if (cell.state.status !== 'online') throw failure('host.offline', { host: context.name, reason: presence.reason })
    const worker = operation.repeatable ? presence.first(performance.now()) : await whoAsked(operation, input.approval)
    if (worker !== undefined && !presence.isHere(worker, performance.now()))
      throw failure('host.offline', { host: context.name, reason: 'the worker that asks has not been heard of since' })
    return asking.callOfNoRun(operation, { input, worker }, options)
  }

  /** For whom alone an answer is: the worker whose host has asked. */
  async function whoAsked(operation: Operation, approval: string | undefined): Promise<string | undefined> {
    if (approval === undefined || !answersOfPeople.has(operation.name)) return undefined
    return (await open()).inbox.state.askedBy[approval]
  }

  async function answerUpload(
    operation: Operation,
    input: Parameters<typeof asking.writeStdin>[0],
    body: AsyncIterable<Uint8Array>,
    options?: CallOptions,
  ): Promise<unknown> {
    if (operation.name === writeStdin.name) return await asking.writeStdin(input, body, options)
    return await uploadInPieces(operation as UploadOperation, { ...input }, body, deferring(operation, options))
  }

  async function hostInfo(): Promise<HostInfo> {
    const { runs } = (await open()).inbox.state
    const { latest } = presence
    if (!latest || cell.state.status !== 'online') throw failure('host.offline', { host: context.name, reason: presence.reason })
    // Its clock has gone on since; how long the beat had lain in the bucket before, nobody knows.
    const clock = new Date(Date.parse(latest.info.clock) + performance.now() - latest.heardAtMs).toISOString()
    // Told sooner than by the next beat, and of all workers.
    const live = Object.values(runs).filter(({ run }) => run && !isTerminal(run.state)).length
    return { ...latest.info, clock, activeRuns: live }
  }

  async function* answerItems(operation: Operation, input: { after?: number; follow?: boolean }, options?: CallOptions) {
    const { inbox } = await open()
    const from = [input.after ?? 0, input.follow ?? false, untilClosing(options?.signal)] as const
    if (operation.name === followNodeEvents.name) yield* inbox.nodeEvents(...from)
    else if (operation.name === followJournal.name) yield* inbox.journal(...from)
    else if (operation.name === followApprovals.name) yield* inbox.approvals(...from)
    else yield* itemsInPieces(operation as ItemsOperation, input, deferring(operation, options))
  }

  async function* answerBytes(operation: Operation, input: { run: string; after?: number }, options?: CallOptions) {
    if (operation.deferrable) return yield* bytesInPieces(operation as BytesOperation, input, deferring(operation, options))
    const { inbox } = await open()
    if (operation.name === readArtifact.name) return yield* inbox.artifact(readArtifact.input.parse(input))
    if (operation.name !== feedOutput.name) refuse(operation)
    yield* inbox.feed({ ...input, after: input.after ?? 0 }, untilClosing(options?.signal))
  }

  /**
   * How one piece of a stream is asked. Of several workers always the same is asked, for as long as it is here: what has come of a file is on
   * its machine.
   */
  function deferring(operation: Operation, options: CallOptions = {}): AskPiece {
    if (!operation.deferrable) refuse(operation)
    return async (asked, input, body) => {
      const worker = presence.first(performance.now())
      if (worker === undefined) throw failure('host.offline', { host: context.name, reason: presence.reason })
      return await asking.ask(asked, { input, worker, body }, { timeoutMs: pieceWithinMs, ...options })
    }
  }

  const untilClosing = (signal: AbortSignal | undefined) => (signal ? AbortSignal.any([signal, closing.signal]) : closing.signal)

  function refuse(operation: Operation): never {
    throw failure('host.deferred', { host: context.name, operation: operation.name })
  }

  const offlineNow = () => ({ ...(offline(presence.reason) as Extract<LinkState, { status: 'offline' }>), caller })

  /** As it was when the bucket was listed: what took long since was this hub's own reading. */
  function setState(inbox: Inbox, listedAtMs: number): void {
    if (closing.signal.aborted) return
    const isOnline = presence.isAnyHere(listedAtMs)
    const wasOnline = cell.state.status === 'online'
    if (isOnline && !wasOnline) cell.set({ status: 'online', since: new Date().toISOString(), caller })
    if (!isOnline && wasOnline && inbox.isRead) cell.set(offlineNow())
  }

  /** Before any worker was heard of, what is known is only whether the bucket can be used. */
  function tellWhyNeverSeen(reason: string | undefined): void {
    if (closing.signal.aborted || cell.state.status !== 'never_seen' || cell.state.reason === reason) return
    cell.set({ status: 'never_seen', since: null, caller, ...(reason !== undefined && { reason }) })
  }

  async function look(): Promise<void> {
    let pauseMs = soonMs
    let sweptAtMs = -Infinity
    while (!closing.signal.aborted) {
      try {
        const opened = await open()
        const listedAtMs = performance.now()
        const isNews = await readNews(opened)
        await cleanUp(opened)
        if (performance.now() - sweptAtMs > sweepEveryMs) {
          await opened.requests.sweep()
          sweptAtMs = performance.now()
        }
        await opened.inbox.forgetOlderThan(keepOverMs)
        setState(opened.inbox, listedAtMs)
        tellWhyNeverSeen(undefined)
        // Often after news or a question, then less and less.
        pauseMs = isNews ? soonMs : 1.5 * pauseMs
      } catch (error) {
        if (closing.signal.aborted) return
        const known = asMusterError(error)
        presence.blame(known.message)
        log.warn({ host: context.name, error: known.toValue() }, 'the bucket could not be looked at; trying again')
        pauseMs = intervalMs
        if (!presence.isAnyHere(performance.now()) && cell.state.status === 'online') cell.set(offlineNow())
        tellWhyNeverSeen(known.message.replace(/\.$/, ''))
      }
      pauseMs = Math.min(pauseMs, intervalMs)
      const before = answers.size
      await wake.wait(pauseMs, closing.signal)
      if (answers.size > before) pauseMs = soonMs
    }
  }

  const looking = look()

  async function close(reason: MusterError): Promise<void> {
    closing.abort(reason)
    answers.settleAll(reason)
    // Where no worker was here, none was seen just now: the state stays what it was.
    if (cell.state.status === 'online') cell.set(offline(reason.message))
    await looking
  }

  return {
    traits: { mirrored: true, deferred: true, interactive: false },
    get state() {
      return cell.state
    },
    onChange: cell.onChange,
    close,
    [Symbol.asyncDispose]: () => close(failure('wire.closed', { reason: 'the hub is closing' })),
  }
}

/** Runs that are over: nobody may begin them again, and what is told whole needs no object any more. */
async function cleanUp({ inbox, requests }: Opened): Promise<void> {
  const over = Object.entries(inbox.state.runs).filter(([, { run, cleaned }]) => !cleaned && run && isTerminal(run.state))
  const refused = Object.keys(inbox.state.refused).filter((run) => !(run in inbox.state.done))
  if (over.length + refused.length === 0) return
  await requests.end([
    ...over.map(([run, { fence, output }]) => ({ run, fence, whole: output.whole })),
    ...refused.map((run) => ({ run, fence: 1, whole: true })),
  ])
  for (const [, known] of over) known.cleaned = known.output.whole
  await inbox.save()
}
