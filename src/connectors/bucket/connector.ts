// The hub's side of a bucket: a host that is asked by signed objects and answers by signed objects, at its workers' next look.
// How it breaks: the store is away, or the workers are: then the host is offline, and what it is asked waits in the bucket.
// Several workers may look into one bucket: to the hub they are one host, and each of its runs is with one of them.

import { createHash } from 'node:crypto'
import { readArtifact } from '../../contract/artifact.ts'
import type { Caller, CallOptions } from '../../contract/caller.ts'
import { deadlineOf } from '../../contract/deadline.ts'
import { asMusterError, type ErrorValue, failure, MusterError } from '../../contract/errors.ts'
import { followJournal } from '../../contract/event.ts'
import { getHostInfo, type HostInfo } from '../../contract/host.ts'
import type { Operation } from '../../contract/operation.ts'
import { feedOutput } from '../../contract/output.ts'
import { cancelRun, isTerminal, startRun, writeStdin } from '../../contract/run.ts'
import { fingerprintOf } from '../../wire/identity.ts'
import { linkStateCell, offline } from '../link-state.ts'
import type { Connector, ConnectorContext, LinkState } from '../port.ts'
import { makeBell } from './bell.ts'
import { currentClaim } from './claims.ts'
import type { BucketConfig } from './config.ts'
import { unseal } from './envelope.ts'
import { type Inbox, openInbox } from './inbox.ts'
import { isIntroduced, joinKeyOf } from './join-token.ts'
import { askKey, beatKey, jobKey, type NamedKey, newsPrefix, parseKey, segmentKey } from './keys.ts'
import { BeatMessage, largestObjectBytes, SegmentMessage } from './messages.ts'
import type { Objects } from './objects.ts'
import { openObjects } from './open-objects.ts'
import { inPieces } from './pieces.ts'
import { openRequests, type Requests } from './requests.ts'
import { untilAborted } from './until-aborted.ts'

const defaultIntervalMs = 15_000
const soonMs = 1_000
const sweepEveryMs = 3600_000
const keepOverMs = 600_000
/** So many beats may be missed before a worker counts as away. */
const beatsMissed = 2.5
/** A worker that has left is still reached for so long, so that what it left is read. */
const graceMs = 5_000
/** So many pieces of standard input lie in the bucket at once. */
const piecesAhead = 4

interface Opened {
  readonly objects: Objects
  readonly inbox: Inbox
  readonly requests: Requests
}

/** Of what a run is to be; the fence of who asks is no part of it. */
function digestOf(input: unknown): string {
  const { spec, parent } = startRun.input.parse(input)
  return createHash('sha256')
    .update(JSON.stringify([spec, parent]))
    .digest('hex')
}

export function connectBucket(config: BucketConfig, context: ConnectorContext): Connector {
  const { host, identity, log, lastSeenAt } = context
  const intervalMs = config.intervalMs ?? defaultIntervalMs
  const trust = { host, joinKey: joinKeyOf(identity, host) }
  const closing = new AbortController()
  const wake = makeBell()
  const waiting = new Map<string, Set<PromiseWithResolvers<unknown>>>()
  /** What takes a run's job back, for each who is cancelling it now. */
  const cancelling = new Map<string, Set<() => Promise<void>>>()
  /** Objects that were read, as they were, so that none is read twice. */
  let read = new Map<string, string>()
  /** By each worker's last sign of life: until when it counts as here, and for how long one more would count. */
  const alive = new Map<string, { readonly untilMs: number; readonly forMs: number }>()
  let opening: Promise<Opened> | undefined
  let latest: { readonly info: HostInfo; readonly heardAtMs: number } | undefined
  let trouble = 'no worker has looked into the bucket since the hub started'

  const caller: Caller = {
    call: answerCall,
    items: answerItems,
    bytes: answerBytes,
    upload: answerUpload,
  } as Caller
  const cell = linkStateCell(
    lastSeenAt === null
      ? { status: 'never_seen', since: null, caller }
      : { status: 'offline', since: lastSeenAt, reason: trouble, caller },
  )

  function open(): Promise<Opened> {
    opening ??= (async () => {
      const objects = await openObjects(config)
      const inbox = await openInbox(context.dir, host)
      return { objects, inbox, requests: openRequests({ objects, identity, host, inbox, signal: closing.signal }) }
    })()
    // The next one tries again.
    opening.catch(() => {
      opening = undefined
    })
    return opening
  }

  /** What a worker has signed for this key, if the operator has let it in. */
  function readWorker<T>(
    key: string,
    bytes: Uint8Array,
    worker: string,
    schema: { safeParse(value: unknown): { data?: T | undefined } },
  ) {
    const sealed = unseal({ host, key }, bytes)
    if (!sealed || fingerprintOf(sealed.by) !== worker || !isIntroduced(trust, sealed.by, sealed.introduction)) return undefined
    const message = schema.safeParse(sealed.header).data
    return message && { message, body: sealed.body }
  }

  async function readNews(opened: Opened): Promise<boolean> {
    const { objects, inbox } = opened
    const highest = new Map<string, number>()
    const there = new Map<string, string>()
    let isNews = false
    for await (const { key, tag, size } of objects.list(newsPrefix)) {
      const named = parseKey(key)
      if (size > largestObjectBytes) continue
      if (named?.kind === 'beat') {
        if (read.get(key) !== tag) isNews = (await hearBeat(objects, inbox, named.worker)) || isNews
        there.set(key, tag)
      }
      if (named?.kind !== 'segment') continue
      // Put again by a worker that was killed, after it had been taken in.
      if (named.number < inbox.worker(named.worker).next) await objects.delete(key)
      else highest.set(named.worker, Math.max(named.number, highest.get(named.worker) ?? 0))
    }
    read = there
    for (const [worker, most] of highest) {
      for (let { next } = inbox.worker(worker); next <= most; next++) {
        if (!(await takeIn(opened, worker, next))) break
        isNews = true
      }
    }
    return isNews
  }

  async function hearBeat(objects: Objects, inbox: Inbox, worker: string): Promise<boolean> {
    const key = beatKey(worker)
    const bytes = await objects.get(key, largestObjectBytes)
    const beat = bytes && readWorker(key, bytes, worker, BeatMessage)?.message
    // One that was heard before says nothing, whoever has put it there again.
    if (!beat || beat.count <= inbox.worker(worker).beat) return false
    await inbox.hearBeat(worker, beat.count)
    latest = { info: beat.info, heardAtMs: performance.now() }
    trouble = beat.leaving ? 'its worker has left' : 'its worker has not been heard of since'
    const forMs = beat.leaving ? graceMs : beatsMissed * beat.everyMs + 2 * intervalMs
    alive.set(worker, { forMs, untilMs: performance.now() + forMs })
    return true
  }

  /** Whether the segment was there, and a worker's. */
  async function takeIn({ objects, inbox, requests }: Opened, worker: string, number: number): Promise<boolean> {
    const key = segmentKey(worker, number)
    const bytes = await objects.get(key, largestObjectBytes)
    const found = bytes && readWorker(key, bytes, worker, SegmentMessage)
    if (!found || found.message.number !== number) {
      if (bytes) log.warn({ host: context.name, key }, 'an object in the bucket is not what its worker has signed; passed over')
      return false
    }
    const held = await claimsHeld({ objects, inbox }, worker, found.message)
    const answers = []
    const refused = new Map<string, ErrorValue>()
    for (const answer of found.message.answers) {
      const named = parseKey(answer.to)
      if (!(await mayAnswer({ objects, requests }, worker, named))) continue
      answers.push({ ...answer, named })
      if (answer.error && named?.kind === 'job') refused.set(named.run, answer.error)
    }
    await inbox.takeIn(worker, found.message, found.body, (run, fence) => held.has(`${run}~${fence}`), refused)
    for (const { to, named, error, value } of answers) {
      // What nobody waits for any more was carried out all the same.
      if (named?.kind === 'ask') await objects.delete(to)
      settle(to, error ? new MusterError(error) : undefined, value)
    }
    for (const { run } of found.message.events)
      if (inbox.state.runs[run]?.run) settle(jobKey(run), undefined, inbox.state.runs[run]?.run)
    await objects.delete(key)
    // Who tells lives, also where the beat has to wait.
    const { forMs } = alive.get(worker) ?? { forMs: 0 }
    if (forMs > 0) alive.set(worker, { forMs, untilMs: performance.now() + forMs })
    return true
  }

  /** The claims under which this segment speaks, as far as they are this worker's and nobody has a later one. */
  async function claimsHeld(
    { objects, inbox }: Pick<Opened, 'objects' | 'inbox'>,
    worker: string,
    { events, outputs, artifacts }: SegmentMessage,
  ): Promise<Set<string>> {
    const spoken = new Map([...events, ...outputs, ...artifacts].map(({ run, fence }) => [`${run}~${fence}`, { run, fence }]))
    const isHeld = async (run: string, fence: number) => {
      const known = inbox.state.runs[run]
      // Whose this fence is does not change: it is looked up once, and who makes its claim anew is too late.
      const isKnown = known?.fence === fence && known.worker === worker
      if (known && !isKnown && fence <= known.fence) return false
      // Fences have no gaps: one that a worker has made far above the others is none.
      const { claim } = await currentClaim(objects, trust, run, isKnown ? fence + 1 : 1)
      return isKnown ? !claim : claim?.worker === worker && claim.fence === fence
    }
    const held = [...spoken].map(async ([address, { run, fence }]) => ((await isHeld(run, fence)) ? address : undefined))
    return new Set((await Promise.all(held)).filter((address) => address !== undefined))
  }

  /** A worker answers for runs that are its own, or nobody's. */
  async function mayAnswer(
    { objects, requests }: Pick<Opened, 'objects' | 'requests'>,
    worker: string,
    to: NamedKey | undefined,
  ): Promise<boolean> {
    const run = to?.kind === 'job' ? to.run : to?.kind === 'ask' ? await requests.runOfAsk(to.id) : undefined
    if (run === undefined) return false
    const { claim } = await currentClaim(objects, trust, run)
    return !claim || claim.worker === worker
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

  function settle(to: string, error: MusterError | undefined, value: unknown): void {
    for (const one of waiting.get(to) ?? []) {
      if (error) one.reject(error)
      else one.resolve(value)
    }
    waiting.delete(to)
  }

  async function answerCall(operation: Operation, input: never, options?: CallOptions): Promise<unknown> {
    if (operation.name === getHostInfo.name) return hostInfo()
    const { run } = input as { run?: string }
    if (!operation.deferrable || run === undefined) return refuse(operation)
    using deadline = deadlineOf(operation, options)
    const signal = untilClosing(deadline.signal)
    const opened = await untilAborted(open(), signal)
    const { inbox, requests } = opened
    if (operation.name === startRun.name) return await begin({ inbox, requests }, run, input, signal)
    const ask = async (within = signal) => {
      const id = await untilAborted(requests.putAsk({ run, operation: operation.name, input }), within)
      return operation.output.parse(await answerTo(askKey(id), within))
    }
    return operation.name === cancelRun.name ? await cancel(opened, run, signal, ask) : await ask()
  }

  /** A run that nobody has taken is none any more. Its job may be laid ready only after this was asked, by a start that is under way. */
  async function cancel(
    opened: Opened,
    run: string,
    signal: AbortSignal,
    ask: (within: AbortSignal) => Promise<unknown>,
  ): Promise<unknown> {
    const takenBack = new AbortController()
    const within = AbortSignal.any([signal, takenBack.signal])
    const takeBack = async () => {
      if (await withdraw(opened, run)) takenBack.abort(failure('run.unknown', { run }))
    }
    const those = cancelling.get(run) ?? new Set()
    cancelling.set(run, those.add(takeBack))
    try {
      await untilAborted(takeBack(), within)
      return await ask(within)
    } finally {
      those.delete(takeBack)
      if (those.size === 0) cancelling.delete(run)
    }
  }

  /** Standard input, which is written from an offset on, so that its pieces can come one by one. */
  async function answerUpload(
    operation: Operation,
    { run, offset = 0, end = true }: { run: string; offset?: number; end?: boolean },
    body: AsyncIterable<Uint8Array>,
    options?: CallOptions,
  ): Promise<unknown> {
    if (operation.name !== writeStdin.name) refuse(operation)
    using deadline = deadlineOf(operation, options)
    const signal = untilClosing(deadline.signal)
    const { requests } = await untilAborted(open(), signal)
    const answers: Promise<unknown>[] = []
    for await (const { bytes, isLast } of inPieces(body)) {
      const ask = { run, operation: operation.name, input: { run, offset, end: isLast && end } }
      offset += bytes.byteLength
      const answer = answerTo(askKey(await untilAborted(requests.putAsk(ask, bytes), signal)), signal)
      // Heard of below.
      answer.catch(() => undefined)
      answers.push(answer)
      if (answers.length > piecesAhead) await answers.shift()
    }
    return operation.output.parse((await Promise.all(answers)).at(-1))
  }

  /** The run as its host has accepted it. Asked for again, it is the same run. */
  async function begin(
    { inbox, requests }: Pick<Opened, 'inbox' | 'requests'>,
    run: string,
    input: unknown,
    signal: AbortSignal,
  ) {
    const { specs, runs } = inbox.state
    const spec = digestOf(input)
    specs[run] ??= spec
    if (specs[run] !== spec) throw failure('run.conflict', { run })
    const known = runs[run]?.run
    if (known) return known
    const refused = inbox.state.refused[run]
    if (refused) throw new MusterError(refused)
    const answer = answerTo(jobKey(run), signal)
    await Promise.race([requests.putJob(run, input), answer])
    await Promise.all([...(cancelling.get(run) ?? [])].map((takeBack) => takeBack()))
    return startRun.output.parse(await answer)
  }

  /** Whether the run's job was taken back before a worker had claimed it. One that was claimed is cancelled like any run. */
  async function withdraw({ objects, inbox, requests }: Opened, run: string): Promise<boolean> {
    const { specs, runs, refused } = inbox.state
    if (!(run in specs) || runs[run]?.run || refused[run]) return false
    if (!(await requests.withdraw(run, async () => (await currentClaim(objects, trust, run)).claim !== undefined))) return false
    const error = failure('run.ended', { run, state: 'cancelled' })
    refused[run] = error.toValue()
    await inbox.save()
    settle(jobKey(run), error, undefined)
    return true
  }

  async function answerTo(to: string, signal: AbortSignal): Promise<unknown> {
    const one = Promise.withResolvers<unknown>()
    const those = waiting.get(to) ?? new Set()
    waiting.set(to, those.add(one))
    wake.ring()
    try {
      return await untilAborted(one.promise, signal)
    } finally {
      those.delete(one)
      if (those.size === 0 && waiting.get(to) === those) waiting.delete(to)
    }
  }

  async function hostInfo(): Promise<HostInfo> {
    const { runs } = (await open()).inbox.state
    if (!latest || cell.state.status !== 'online') throw failure('host.offline', { host: context.name, reason: trouble })
    // Its clock has gone on since; how long the beat had lain in the bucket before, nobody knows.
    const clock = new Date(Date.parse(latest.info.clock) + performance.now() - latest.heardAtMs).toISOString()
    // Told sooner than by the next beat, and of all workers.
    const live = Object.values(runs).filter(({ run }) => run && !isTerminal(run.state)).length
    return { ...latest.info, clock, activeRuns: live }
  }

  async function* answerItems(operation: Operation, input: { after?: number; follow?: boolean }, options?: CallOptions) {
    if (operation.name !== followJournal.name) refuse(operation)
    const { inbox } = await open()
    yield* inbox.journal(input.after ?? 0, input.follow ?? false, untilClosing(options?.signal))
  }

  async function* answerBytes(operation: Operation, input: { run: string; after?: number }, options?: CallOptions) {
    const { inbox } = await open()
    if (operation.name === readArtifact.name) return yield* inbox.artifact(readArtifact.input.parse(input))
    if (operation.name !== feedOutput.name) refuse(operation)
    yield* inbox.feed({ ...input, after: input.after ?? 0 }, untilClosing(options?.signal))
  }

  const untilClosing = (signal: AbortSignal | undefined) => (signal ? AbortSignal.any([signal, closing.signal]) : closing.signal)

  function refuse(operation: Operation): never {
    throw failure('host.deferred', { host: context.name, operation: operation.name })
  }

  const isAnyAlive = (atMs: number) => [...alive.values()].some(({ untilMs }) => atMs < untilMs)

  /** As it was when the bucket was listed: what took long since was this hub's own reading. */
  function setState(inbox: Inbox, listedAtMs: number): void {
    if (closing.signal.aborted) return
    const isOnline = isAnyAlive(listedAtMs)
    const wasOnline = cell.state.status === 'online'
    if (isOnline && !wasOnline) cell.set({ status: 'online', since: new Date().toISOString(), caller })
    if (!isOnline && wasOnline && inbox.isRead)
      cell.set({ ...(offline(trouble) as Extract<LinkState, { status: 'offline' }>), caller })
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
        trouble = known.message
        log.warn({ host: context.name, error: known.toValue() }, 'the bucket could not be looked at; trying again')
        pauseMs = intervalMs
        if (!isAnyAlive(performance.now()) && cell.state.status === 'online') cell.set({ ...offlineNow(), caller })
        tellWhyNeverSeen(trouble.replace(/\.$/, ''))
      }
      pauseMs = Math.min(pauseMs, intervalMs)
      const before = waiting.size
      await wake.wait(pauseMs, closing.signal)
      if (waiting.size > before) pauseMs = soonMs
    }
  }

  const offlineNow = () => offline(trouble) as Extract<LinkState, { status: 'offline' }>
  const looking = look()

  async function close(reason: MusterError): Promise<void> {
    closing.abort(reason)
    for (const to of [...waiting.keys()]) settle(to, reason, undefined)
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
