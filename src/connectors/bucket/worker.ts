// A worker at its bucket: looks for jobs and claims them, has them carried, hears what is asked of its runs, and keeps its claims.
// It believes nothing that its hub has not signed for the key under which it lies.

import { Readable } from 'node:stream'
import type { Logger } from 'pino'
import { type ApprovalChange, followApprovals } from '../../contract/approval.ts'
import type { Caller } from '../../contract/caller.ts'
import { asMusterError, failure, hasCode } from '../../contract/errors.ts'
import { followNodeEvents } from '../../contract/fleet-event.ts'
import { getHostInfo } from '../../contract/host.ts'
import type { Operation } from '../../contract/operation.ts'
import { hostOperations } from '../../contract/operations.ts'
import { pause } from '../../contract/pause.ts'
import { cancelRun, getRun, startRun, writeStdin } from '../../contract/run.ts'
import type { Identity } from '../../wire/identity.ts'
import { makeBell } from './bell.ts'
import { carryRun } from './carry.ts'
import { type Claims, currentClaim, type Held, type Trust } from './claims.ts'
import { seal, unseal } from './envelope.ts'
import { askKey, beatKey, doneKey, jobKey, parseKey, queuePrefix } from './keys.ts'
import { AskMessage, type BeatMessage, clockSlackMs, DoneMessage, JobMessage, largestObjectBytes, validMs } from './messages.ts'
import type { News } from './news.ts'
import type { Listed, Objects } from './objects.ts'
import { carryOutPiece } from './pieced.ts'
import { untilAborted } from './until-aborted.ts'
import type { WorkerHome } from './worker-home.ts'

export interface WorkerOf {
  readonly objects: Objects
  readonly home: WorkerHome
  readonly trust: Trust & { readonly hubKey: string }
  readonly worker: { readonly id: string; readonly identity: Identity; readonly introduction: string }
  readonly claims: Claims
  readonly news: News
  /** This machine's own host. */
  readonly host: Caller
  readonly intervalMs: number
  readonly leaseMs: number
  readonly concurrency: number
  readonly once: boolean
  readonly log: Logger
  readonly signal: AbortSignal
  readonly onState: (state: { looking: true } | { looking: false; reason: string }) => void
}

const lastWordsMs = 10_000
/** A beat for so many looks. */
const looksPerBeat = 4
const beatsPerLife = 1_000_000
/** Between two looks while people are asked something here, however seldom it looks otherwise: an answer has minutes to come in. */
const askingLookMs = 5_000
const askAgainMs = 1_000
/** Between two looks, however soon a claim lapses. */
const soonestMs = 50

interface Found {
  readonly jobs: Map<string, Listed>
  readonly asks: Map<string, Listed>
  /** The highest fence of each run. */
  readonly claims: Map<string, { fence: number; mark: string }>
  readonly done: Listed | undefined
}

export async function work(of: WorkerOf): Promise<void> {
  const { objects, home, trust, worker, claims, news, host, log, signal } = of
  const wake = makeBell()
  const carried = new Map<string, AbortController>()
  const carrying = new Set<Promise<void>>()
  /** Objects that were looked at and are none of the hub's, or are done: by key, as they were. */
  const passed = new Map<string, string>()
  /** How often a run was taken over: what was asked of it while it was another's is this worker's to hear now. */
  let takeovers = 0
  /** Asks that are being read or carried out, and the last of each run. */
  const hearing = new Set<string>()
  const hearingOf = new Map<string, Promise<void>>()
  /** Runs of which something asked is to be tried again: what was asked later waits for it. */
  const putOff = new Set<string>()
  /** What is asked of no run and is being carried out: as it was listed, and what ends it. */
  const underWay = new Map<string, { tag: string; readonly ending: AbortController }>()
  /** Questions of this host's that people have not answered. */
  const unanswered = new Set<string>()
  let approvalsTold = news.approvalsTold
  let hears: Promise<void> = Promise.resolve()
  let doneTag: string | undefined
  let beats = 0

  /** What the hub has signed for this key, if it is that. */
  async function readHub<T>(
    key: string,
    schema: { safeParse(value: unknown): { data?: T | undefined } },
  ): Promise<{ message: T; body: Uint8Array } | undefined> {
    const bytes = await objects.get(key, largestObjectBytes)
    const sealed = bytes && unseal({ host: trust.host, key }, bytes)
    const message = sealed?.by === trust.hubKey ? schema.safeParse(sealed.header).data : undefined
    return message && sealed && { message, body: sealed.body }
  }

  async function look(): Promise<Found> {
    const found: Found & { done: Listed | undefined } = { jobs: new Map(), asks: new Map(), claims: new Map(), done: undefined }
    const there = new Set<string>()
    for await (const listed of objects.list(queuePrefix)) {
      there.add(listed.key)
      const named = parseKey(listed.key)
      if (listed.key === doneKey) found.done = listed
      if (listed.size > largestObjectBytes || passed.get(listed.key) === listed.tag) continue
      if (named?.kind === 'job') found.jobs.set(named.run, listed)
      if (named?.kind === 'ask') found.asks.set(named.id, listed)
      if (named?.kind === 'claim' && named.fence > (found.claims.get(named.run)?.fence ?? 0))
        found.claims.set(named.run, { fence: named.fence, mark: `${named.fence}:${listed.tag}` })
    }
    for (const key of passed.keys()) if (!there.has(key)) passed.delete(key)
    claims.watchOnly(found.jobs)
    return found
  }

  async function readDone(done: Listed | undefined): Promise<void> {
    if (!done || done.tag === doneTag) return
    const message = (await readHub(doneKey, DoneMessage))?.message
    doneTag = done.tag
    // An older list, put back by somebody, would open what is over.
    if (!message || message.version < home.done.version) return
    await home.keepDone(message)
  }

  async function carryAll(found: Found): Promise<void> {
    for (const [run, held] of home.held) {
      const higher = (found.claims.get(run)?.fence ?? 0) > held.fence
      if (!held.ended && higher && (await currentClaim(objects, trust, run, held.fence + 1)).claim) await lose(run)
      // Until its last renewal is there.
      else if (carried.has(run)) continue
      else if (held.ended && !found.jobs.has(run) && !found.claims.has(run)) home.held.delete(run)
      // Said to be ended behind the hub that had deleted it.
      else if (held.ended && !found.jobs.has(run) && run in home.done.runs) await claims.drop(run, held)
      else if (!held.ended) await carry(run, held)
    }
  }

  /** Another worker has it: what it does here is of no use to anybody. */
  async function lose(run: string): Promise<void> {
    log.warn({ run }, 'the claim on a run was given to another worker')
    carried.get(run)?.abort(failure('claim.lost', { run }))
    news.drop(run)
    const held = home.held.get(run)
    if (await knows(run)) await host.call(cancelRun, { run }).catch((error) => logged(error, 'a lost run could not be cancelled'))
    // Last: whoever is killed before, or cannot save it, finds it lost once more.
    home.held.delete(run)
    try {
      await home.save()
    } catch (error) {
      if (held) home.held.set(run, held)
      throw error
    }
  }

  /** Resolves when its host has accepted the run, or it cannot be. `job` is what it is to be, where that was read just now. */
  async function carry(run: string, held: Held, job?: unknown): Promise<void> {
    const begun = Promise.withResolvers<void>()
    const ending = new AbortController()
    carried.set(run, ending)
    const work = carryToEnd(run, held, { job, until: AbortSignal.any([ending.signal, signal]), begun: begun.resolve })
      .catch((error) => {
        if (!ending.signal.aborted && !signal.aborted) logged(error, 'a run could not be carried on; trying again')
      })
      .finally(() => {
        carried.delete(run)
        carrying.delete(work)
        begun.resolve()
        wake.ring()
      })
    carrying.add(work)
    await begun.promise
  }

  async function carryToEnd(
    run: string,
    held: Held,
    { job, until, begun }: { job: unknown; until: AbortSignal; begun: () => void },
  ): Promise<void> {
    const isKnown = job === undefined && (await knows(run))
    const input = isKnown ? undefined : (job ?? (await jobInput(run)))
    if (!isKnown && input === undefined) return await letGo(run, held)
    if (await carryRun({ run, fence: held.fence, input, begun }, host, news, until))
      log.info({ run }, 'a run has ended and is told of')
    await news.settled(until)
    until.throwIfAborted()
    held.ended = true
    await claims.renew(run, held)
    await home.save()
  }

  /** There is no such job, or nobody whom we believe has signed it. */
  async function letGo(run: string, held: Held): Promise<void> {
    home.held.delete(run)
    await home.save()
    await claims.drop(run, held)
  }

  async function knows(run: string): Promise<boolean> {
    try {
      await host.call(getRun, { run })
      return true
    } catch (error) {
      if (hasCode(error, 'run.unknown')) return false
      throw error
    }
  }

  async function jobInput(run: string): Promise<unknown> {
    const job = (await readHub(jobKey(run), JobMessage))?.message
    const input =
      job?.run === run && isValid(job.validUntil) && !(run in home.done.runs)
        ? startRun.input.safeParse(job.input).data
        : undefined
    return input?.run === run ? input : undefined
  }

  /** Returns whether something was taken. */
  async function takeJobs(found: Found): Promise<boolean> {
    let taken = false
    for (const [run, listed] of [...found.jobs].sort(([a], [b]) => (a < b ? -1 : 1))) {
      if (signal.aborted) return taken
      if (home.held.has(run) || run in home.done.runs) continue
      const vacancy = await claims.vacancy(run, found.claims.get(run)?.mark, performance.now())
      if (!vacancy || carried.size >= of.concurrency) continue
      // It was this worker's and was lost: its remains here are no new start.
      const isOther = vacancy.former !== undefined && vacancy.former.worker !== worker.id
      if (isOther && (await knows(run))) continue
      const held = await claims.take(run, vacancy)
      if (!held) continue
      claims.forget(run)
      if (vacancy.former) hearAgain()
      const isKnown = await knows(run)
      const input = isKnown ? undefined : await jobInput(run)
      if (!isKnown && input === undefined) {
        passed.set(listed.key, listed.tag)
        await claims.drop(run, held)
        continue
      }
      home.held.set(run, held)
      await home.save()
      log.info({ run, fence: held.fence }, 'a run was claimed')
      // Begun in the order of submission.
      await carry(run, held, input)
      taken = true
    }
    return taken
  }

  /** Those of a run in their order, and not waited for: standard input is taken in as its reader likes. */
  function hearAsks(found: Found): void {
    putOff.clear()
    const takeoversBefore = takeovers
    const pass = (id: string, listed: Listed): void => {
      if (takeovers === takeoversBefore) passed.set(listed.key, listed.tag)
      hearing.delete(id)
      wake.ring()
    }
    for (const [id, listed] of [...found.asks].sort(([a], [b]) => (a < b ? -1 : 1))) {
      if (hearing.has(id)) continue
      hearing.add(id)
      hears = hears
        .then(async () => {
          const ask = await readHub(askKey(id), AskMessage)
          if (!ask || !isValid(ask.message.validUntil)) return pass(id, listed)
          const { run } = ask.message
          const heard = (hearingOf.get(run) ?? Promise.resolve())
            .then(async () => {
              if (!putOff.has(run) && (await hear(id, listed.tag, ask))) return pass(id, listed)
              putOff.add(run)
              hearing.delete(id)
            })
            .catch((error) => {
              putOff.add(run)
              hearing.delete(id)
              logged(error, 'what was asked of a run could not be done; trying again')
            })
            .finally(() => {
              if (hearingOf.get(run) === heard) hearingOf.delete(run)
            })
          hearingOf.set(run, heard)
        })
        .catch((error) => {
          hearing.delete(id)
          logged(error, 'what was asked could not be read; trying again')
        })
    }
  }

  /** The claim says what of it is done. */
  function hearAgain(): void {
    takeovers++
    for (const key of passed.keys()) if (parseKey(key)?.kind === 'ask') passed.delete(key)
  }

  /** Whether it is settled: carried out, or nothing of this worker's. */
  async function hear(
    id: string,
    tag: string,
    { message: ask, body }: { message: AskMessage; body: Uint8Array },
  ): Promise<boolean> {
    const { run, operation: name, input } = ask
    if (run === id) return await hearOfNoRun(id, tag, ask, body)
    const held = home.held.get(run)
    if (held?.asked.includes(id)) return true
    if (!(await knows(run))) return await hearOfUnknown(id, run)
    // Its own may lie there after it was let go of: renewed behind the hub's deleting.
    if (!held && ((await currentClaim(objects, trust, run)).claim?.worker ?? worker.id) !== worker.id) return true
    try {
      news.answer({ to: askKey(id), value: await carryOut(name, input, body) })
    } catch (error) {
      const known = asMusterError(error)
      // A gap is the asker's to fill: nothing that was asked before is still to come.
      if ((known.retryable && known.code !== 'run.stdin_gap') || signal.aborted) return false
      news.answer({ to: askKey(id), error: known.toValue() })
    }
    held?.asked.push(id)
    await home.save()
    return true
  }

  /** One worker carries it out, once: which is whose claim on it was made first. */
  async function hearOfNoRun(id: string, tag: string, ask: AskMessage, body: Uint8Array): Promise<boolean> {
    if ((ask.worker ?? worker.id) !== worker.id) return true
    const held = home.begun.has(id) ? undefined : await claims.take(id, { fence: 1, former: undefined })
    if (!held && (await currentClaim(objects, trust, id)).claim?.worker !== worker.id) return true
    // It was answered, and its claim deleted, since it was read; then this claim is of no use.
    if (held && !(await readHub(askKey(id), AskMessage))) {
      await claims.drop(id, held)
      return true
    }
    const ending = new AbortController()
    underWay.set(id, { tag, ending })
    try {
      await noteBegun(id, ask)
      news.answer({ to: askKey(id), value: await carryOutOnce(ask, body, held !== undefined, ending.signal) })
    } catch (error) {
      if (signal.aborted) return false
      // Its hub has left it, and will not hear the answer.
      if (held && hasCode(ending.signal.reason, 'wire.closed')) await claims.drop(id, held)
      else news.answer({ to: askKey(id), error: asMusterError(error).toValue() })
    } finally {
      underWay.delete(id)
    }
    return true
  }

  /** On disk before it is begun. */
  async function noteBegun(id: string, { operation, validUntil }: AskMessage): Promise<void> {
    if (deferrable(operation).scope === 'read') return
    for (const [former, until] of home.begun) if (!isValid(until)) home.begun.delete(former)
    home.begun.set(id, validUntil)
    await home.save()
  }

  /** What nobody waits for any more ends: taken back by who has asked, or left by its hub, as by a link that breaks. */
  async function endLeft({ asks }: Found): Promise<void> {
    for (const [id, one] of underWay) {
      const tag = asks.get(id)?.tag
      if (tag === one.tag) continue
      const ask = (await readHub(askKey(id), AskMessage))?.message
      if (!ask) one.ending.abort(failure('wire.closed', { reason: 'its hub has left it' }))
      else if (!isValid(ask.validUntil)) one.ending.abort(failure('call.cancelled'))
      // Listed late, or put there again by somebody.
      else one.tag = tag ?? one.tag
    }
  }

  /** What this worker began before it was killed may have been carried out; only what changes nothing is done again. */
  async function carryOutOnce(
    { operation: name, input }: AskMessage,
    body: Uint8Array,
    isFirst: boolean,
    until: AbortSignal,
  ): Promise<unknown> {
    const operation = deferrable(name)
    if (!isFirst && operation.scope !== 'read' && !operation.repeatable) {
      const { command } = input as { command?: unknown }
      const reason = 'the node was started anew meanwhile'
      throw failure('invoke.no_answer', { host: 'the host', command: typeof command === 'string' ? command : name, reason })
    }
    return await carryOutPiece(host, operation, { input, body, signal: AbortSignal.any([signal, until]) })
  }

  async function carryOut(name: string, input: unknown, body: Uint8Array): Promise<unknown> {
    if (name === writeStdin.name) return await host.upload(writeStdin, input as never, Readable.from([body]), { signal })
    return await carryOutPiece(host, deferrable(name), { input, body, signal })
  }

  function deferrable(name: string): Operation {
    const operation = hostOperations.find((one) => one.name === name && one.deferrable)
    if (!operation) throw failure('operation.unknown', { operation: name })
    return operation
  }

  /** Another worker's, not yet anybody's, or nobody's at all. */
  async function hearOfUnknown(id: string, run: string): Promise<boolean> {
    if ((await currentClaim(objects, trust, run)).claim) return !home.held.has(run)
    if (await readHub(jobKey(run), JobMessage)) return false
    news.answer({ to: askKey(id), error: failure('run.unknown', { run }).toValue() })
    return true
  }

  async function beat(leaving = false): Promise<void> {
    const info = await host.call(getHostInfo, {})
    const everyMs = looksPerBeat * of.intervalMs
    const message: BeatMessage = { type: 'beat', count: home.life * beatsPerLife + ++beats, everyMs, leaving, info }
    await objects.put(beatKey(worker.id), seal({ host: trust.host, key: beatKey(worker.id) }, worker, message))
  }

  async function renewAll(): Promise<void> {
    for (const [run, held] of home.held) if (!held.ended) await claims.renew(run, held)
  }

  /** What this machine's node tells of itself goes along, from where the last segment ended. */
  async function tellNode(until: AbortSignal): Promise<void> {
    try {
      const events = host.items(followNodeEvents, { after: news.nodeTold, follow: !of.once }, { signal: until })
      for await (const event of events) await untilAborted(news.nodeEvent(event), until)
    } catch (error) {
      if (!until.aborted) logged(error, 'what this node tells of itself could not be told')
    }
  }

  /** What this machine's host asks people goes along, and counts there as read once it is in the bucket. */
  async function tellApprovals(follow: boolean, until: AbortSignal): Promise<void> {
    do {
      try {
        for await (const change of host.items(followApprovals, { after: approvalsTold, follow }, { signal: until }))
          await tellApproval(change, until)
      } catch (error) {
        if (!until.aborted) logged(error, 'what this host asks people could not be told; trying again')
      }
      if (follow) await pause(askAgainMs, until)
    } while (follow && !until.aborted)
  }

  async function tellApproval(change: ApprovalChange, until: AbortSignal): Promise<void> {
    const { id, state } = change.approval
    const { inBucket } = await untilAborted(news.approval(change), until)
    approvalsTold = change.position
    if (state !== 'pending') return void unanswered.delete(id)
    unanswered.add(id)
    // Its next look may be an hour away.
    wake.ring()
    await untilAborted(inBucket, until)
  }

  const logged = (error: unknown, what: string) => log.warn({ error: asMusterError(error).toValue() }, what)

  /** One look at the bucket. Returns whether there may be more to do at once. */
  async function turn(): Promise<boolean> {
    const found = await look()
    await readDone(found.done)
    await carryAll(found)
    await endLeft(found)
    hearAsks(found)
    const taken = await takeJobs(found)
    of.onState({ looking: true })
    return taken
  }

  async function turns(): Promise<void> {
    while (!signal.aborted) {
      let more = false
      try {
        more = await turn()
        if (of.once && !more && carried.size === 0 && hearing.size === 0) return
      } catch (error) {
        if (signal.aborted) return
        logged(error, 'the bucket could not be looked at; trying again')
        of.onState({ looking: false, reason: asMusterError(error).message })
      }
      const nowMs = performance.now()
      const seldomMs = unanswered.size > 0 ? Math.min(of.intervalMs, askingLookMs) : of.intervalMs
      if (!more) await wake.wait(Math.max(soonestMs, Math.min(seldomMs, claims.nextLapseMs(nowMs) - nowMs)), signal)
    }
  }

  const sending = new AbortController()
  const sent = news.send(sending.signal)
  let chores: Promise<void> = beat()
  const chore = (what: string, task: () => Promise<void>) => () => {
    chores = chores.then(task).catch((error) => logged(error, what))
  }
  await chores
  const working = new AbortController()
  const nodeTold = tellNode(AbortSignal.any([signal, working.signal]))
  const asking = new AbortController()
  const approvalsFollowed = tellApprovals(true, AbortSignal.any([signal, asking.signal]))
  const beating = setInterval(chore('a beat could not be put', beat), looksPerBeat * of.intervalMs)
  const renewing = setInterval(chore('a claim could not be renewed', renewAll), of.leaseMs / 3)
  try {
    await turns()
  } finally {
    clearInterval(beating)
    clearInterval(renewing)
    await Promise.all(carrying)
    await hears
    await Promise.all(hearingOf.values())
    await chores
    if (!of.once) working.abort()
    await nodeTold
    asking.abort()
    await approvalsFollowed
    // What has ended meanwhile.
    if (of.once) await tellApprovals(false, signal)
    const lastWords = AbortSignal.timeout(lastWordsMs)
    await news.settled(of.once && !signal.aborted ? never : lastWords)
    await beat(true).catch((error) => logged(error, 'the last beat could not be put'))
    sending.abort()
    await sent
  }
}

const never = new AbortController().signal

function isValid(until: number): boolean {
  const inMs = until - Date.now()
  return inMs > 0 && inMs < validMs + clockSlackMs
}
