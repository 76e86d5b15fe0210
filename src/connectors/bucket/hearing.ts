// What a hub hears of its workers: beats and segments, taken out of the bucket in their order. It believes what a worker has signed that
// the operator has let in, and of a run only what its claim allows.

import type { Logger } from 'pino'
import { type ErrorValue, MusterError } from '../../contract/errors.ts'
import { fingerprintOf } from '../../wire/identity.ts'
import type { Answers } from './answers.ts'
import { currentClaim } from './claims.ts'
import { unseal } from './envelope.ts'
import { isIntroduced } from './join-token.ts'
import { beatKey, claimKey, jobKey, type NamedKey, newsPrefix, parseKey, segmentKey } from './keys.ts'
import { BeatMessage, largestObjectBytes, SegmentMessage } from './messages.ts'
import type { Opened } from './opened.ts'
import type { Presence } from './presence.ts'

export interface HearingOf {
  /** What people call the host by now. */
  readonly name: () => string
  readonly presence: Presence
  readonly answers: Answers
  readonly log: Logger
}

/** Reads what is new. Resolves with whether there was anything. */
export function openHearing({ name, presence, answers, log }: HearingOf): (opened: Opened) => Promise<boolean> {
  /** Objects that were read, as they were, so that none is read twice. */
  let read = new Map<string, string>()

  async function readNews(opened: Opened): Promise<boolean> {
    const { objects, inbox } = opened
    const highest = new Map<string, number>()
    const there = new Map<string, string>()
    let isNews = false
    for await (const { key, tag, size } of objects.list(newsPrefix)) {
      const named = parseKey(key)
      if (size > largestObjectBytes) continue
      if (named?.kind === 'beat') {
        if (read.get(key) !== tag) isNews = (await hearBeat(opened, named.worker)) || isNews
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

  async function hearBeat({ objects, inbox, trust }: Opened, worker: string): Promise<boolean> {
    const key = beatKey(worker)
    const bytes = await objects.get(key, largestObjectBytes)
    const beat = bytes && readWorker(trust, { key, bytes, worker }, BeatMessage)?.message
    // One that was heard before says nothing, whoever has put it there again.
    if (!beat || beat.count <= inbox.worker(worker).beat) return false
    await inbox.hearBeat(worker, beat.count)
    presence.hear(worker, beat)
    return true
  }

  /** Whether the segment was there, and a worker's. */
  async function takeIn(opened: Opened, worker: string, number: number): Promise<boolean> {
    const { objects, inbox, trust } = opened
    const key = segmentKey(worker, number)
    const bytes = await objects.get(key, largestObjectBytes)
    const found = bytes && readWorker(trust, { key, bytes, worker }, SegmentMessage)
    if (!found || found.message.number !== number) {
      if (bytes) log.warn({ host: name(), key }, 'an object in the bucket is not what its worker has signed; passed over')
      return false
    }
    const held = await claimsHeld(opened, worker, found.message)
    const told = []
    const refused = new Map<string, ErrorValue>()
    for (const answer of found.message.answers) {
      const named = parseKey(answer.to)
      const run = await answeredRun(opened, worker, named)
      if (run === undefined) continue
      told.push({ ...answer, named, run })
      if (answer.error && named?.kind === 'job') refused.set(named.run, answer.error)
    }
    await inbox.takeIn(worker, found.message, found.body, (run, fence) => held.has(`${run}~${fence}`), refused)
    for (const { to, named, run, error, value } of told) {
      // What nobody waits for any more was carried out all the same.
      if (named?.kind === 'ask') await objects.delete(to)
      // After the ask: who claims it from now on finds it gone.
      if (named?.kind === 'ask' && run === named.id) await objects.delete(claimKey(run, 1))
      answers.settle(to, error ? new MusterError(error) : undefined, value)
    }
    for (const { run } of found.message.events)
      if (inbox.state.runs[run]?.run) answers.settle(jobKey(run), undefined, inbox.state.runs[run]?.run)
    await objects.delete(key)
    presence.extend(worker)
    return true
  }

  return readNews
}

/** What a worker has signed for this key, if the operator has let it in. */
function readWorker<T>(
  trust: Opened['trust'],
  { key, bytes, worker }: { key: string; bytes: Uint8Array; worker: string },
  schema: { safeParse(value: unknown): { data?: T | undefined } },
) {
  const sealed = unseal({ host: trust.host, key }, bytes)
  if (!sealed || fingerprintOf(sealed.by) !== worker || !isIntroduced(trust, sealed.by, sealed.introduction)) return undefined
  const message = schema.safeParse(sealed.header).data
  return message && { message, body: sealed.body }
}

/** The claims under which this segment speaks, as far as they are this worker's and nobody has a later one. */
async function claimsHeld(
  { objects, inbox, trust }: Opened,
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

/** What a worker answers for, if it may: its own runs, or nobody's. */
async function answeredRun(
  { objects, requests, trust }: Opened,
  worker: string,
  to: NamedKey | undefined,
): Promise<string | undefined> {
  const run = to?.kind === 'job' ? to.run : to?.kind === 'ask' ? await requests.runOfAsk(to.id) : undefined
  if (run === undefined) return undefined
  const { claim } = await currentClaim(objects, trust, run)
  return !claim || claim.worker === worker ? run : undefined
}
