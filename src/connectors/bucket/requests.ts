// What a hub writes into a bucket, each object signed for its key: jobs, what is asked of runs, and which jobs are over.
// What waits long is signed anew, since no worker acts on what was signed more than a day ago.

import { decodeTime, monotonicFactory } from 'ulidx'
import { failure } from '../../contract/errors.ts'
import type { Identity } from '../../wire/identity.ts'
import { answersOfPeople } from './asked-of-people.ts'
import { bare } from './by-id.ts'
import { seal, unseal } from './envelope.ts'
import type { Inbox } from './inbox.ts'
import { askKey, claimKey, doneKey, jobKey, parseKey, queuePrefix } from './keys.ts'
import { AskMessage, clockSlackMs, clocksApartMs, JobMessage, largestObjectBytes, validMs } from './messages.ts'
import type { Objects } from './objects.ts'

export interface Requests {
  /** Once is enough, however often it is asked. */
  putJob(run: string, input: unknown): Promise<void>
  /**
   * The id by which it is answered. What is about no run has that id in its place, and may be acted on for `forMs` by any clock, and by
   * `worker` alone if it is named.
   */
  putAsk(ask: Ask, body?: Uint8Array): Promise<string>
  /** Nobody wants it any more: the worker that has begun it ends it, and answers. */
  takeBack(id: string): Promise<void>
  /** Nobody waits for it any more: a worker that has not begun it begins it no more, and one that has takes it for left by its hub. */
  drop(id: string): Promise<void>
  /** Undefined when it is answered already, or is none of the hub's. */
  runOfAsk(id: string): Promise<string | undefined>
  /** Nobody may begin these any more. What is over whole is deleted as well. */
  end(runs: readonly { run: string; fence: number; whole: boolean }[]): Promise<void>
  /** Takes a job back that nobody has claimed: nobody may begin it any more. False when somebody has: then it stays as it is. */
  withdraw(run: string, isClaimed: () => Promise<boolean>): Promise<boolean>
  /** Deletes what is left over, and signs anew what waits. */
  sweep(): Promise<void>
}

interface Ask extends Pick<AskMessage, 'operation' | 'input'> {
  readonly run?: string
  readonly worker?: string | undefined
  readonly forMs?: number | undefined
}

export interface RequestsOf {
  readonly objects: Objects
  readonly identity: Identity
  readonly host: string
  readonly inbox: Inbox
  /** Ends what may take long: the deleting of many objects. */
  readonly signal: AbortSignal
}

export function openRequests({ objects, identity, host, inbox, signal }: RequestsOf): Requests {
  const { state } = inbox
  const nextUlid = monotonicFactory()
  const signedAtMs = new Map<string, number>()
  let calling: Promise<void> = Promise.resolve()
  /** Asks up to this time are of a former life of this hub; -1 once those that nobody waits for are gone. */
  let formerMs = state.askedAtMs
  let gathering: { readonly runs: Set<string>; readonly done: Promise<void> } | undefined

  async function put(key: string, message: unknown, body: readonly Uint8Array[] = []): Promise<void> {
    const bytes = seal({ host, key }, { identity }, message, body)
    if (bytes.byteLength > largestObjectBytes)
      throw failure('wire.too_large', { bytes: bytes.byteLength, limit: largestObjectBytes })
    await objects.put(key, bytes)
  }

  async function signJob(run: string, input: unknown): Promise<void> {
    const now = Date.now()
    await put(jobKey(run), { type: 'job', run, input, validUntil: now + validMs })
    signedAtMs.set(run, now)
  }

  /** What this hub itself has signed for this key. */
  async function readOwn<T>(
    key: string,
    schema: { safeParse(value: unknown): { data?: T | undefined } },
  ): Promise<T | undefined> {
    const bytes = await objects.get(key, largestObjectBytes)
    const sealed = bytes && unseal({ host, key }, bytes)
    return sealed?.by === identity.publicKey ? schema.safeParse(sealed.header).data : undefined
  }

  /** Asked by a former life of this hub, of no run: who waited for it is gone. What people have answered counts all the same. */
  async function isLeft(id: string): Promise<boolean> {
    if (decodeTime(id) > formerMs) return false
    const ask = await readOwn(askKey(id), AskMessage)
    return ask?.run === id && !answersOfPeople.has(ask.operation)
  }

  async function resign(run: string): Promise<void> {
    const job = await readOwn(jobKey(run), JobMessage)
    if (job) await signJob(run, job.input)
  }

  async function deleteJob(run: string, fence: number): Promise<void> {
    // The job first: who then still finds a free claim finds no job under it.
    await objects.delete(jobKey(run))
    for (let one = 1; one <= fence; one++) {
      signal.throwIfAborted()
      await objects.delete(claimKey(run, one))
    }
    signedAtMs.delete(run)
  }

  /** One list at a time, which holds all before it: what is called over while one is being put goes into the next together. */
  function callOver(runs: readonly string[]): Promise<void> {
    gathering ??= gather()
    for (const run of runs) gathering.runs.add(run)
    return gathering.done
  }

  function gather(): NonNullable<typeof gathering> {
    const runs = new Set<string>()
    const work = () => {
      gathering = undefined
      return putDone([...runs])
    }
    calling = calling.then(work, work)
    return { runs, done: calling }
  }

  async function putDone(runs: readonly string[]): Promise<void> {
    const now = Date.now()
    const fresh = runs.filter((run) => !(run in state.done))
    if (fresh.length === 0) return
    const lapsed = Object.keys(state.done).filter((run) => (state.done[run] ?? 0) <= now)
    const next = { ...state.done, ...Object.fromEntries(fresh.map((run) => [run, now + validMs + clockSlackMs])) }
    for (const run of lapsed) delete next[run]
    // A version that was counted and not put is never used again; one that was put and not noted is put once more, higher.
    state.doneVersion++
    await inbox.save()
    await put(doneKey, { type: 'done', version: state.doneVersion, runs: next })
    state.done = bare(next)
    for (const run of lapsed) inbox.forgetRefusal(run)
    await inbox.save()
  }

  return {
    async putJob(run, input) {
      if ((signedAtMs.get(run) ?? 0) < Date.now() - validMs / 2) await signJob(run, input)
    },
    async putAsk({ run, operation, input, worker, forMs = validMs }, body) {
      // Ids go up whatever the clock does, also over restarts.
      state.askedAtMs = Math.max(Date.now(), state.askedAtMs + 1)
      await inbox.save()
      const id = nextUlid(state.askedAtMs)
      const validUntil = Date.now() + Math.min(forMs + clocksApartMs, validMs)
      await put(askKey(id), { type: 'ask', run: run ?? id, operation, input, worker, validUntil }, body && [body])
      return id
    },
    async takeBack(id) {
      const ask = await readOwn(askKey(id), AskMessage)
      if (ask) await put(askKey(id), { ...ask, input: {}, validUntil: 0 })
    },
    drop: (id) => objects.delete(askKey(id)),
    runOfAsk: async (id) => (await readOwn(askKey(id), AskMessage))?.run,
    async end(runs) {
      await callOver(runs.map(({ run }) => run))
      await Promise.all(runs.filter(({ whole }) => whole).map(({ run, fence }) => deleteJob(run, fence)))
    },
    async withdraw(run, isClaimed) {
      if (await isClaimed()) return false
      const job = await objects.get(jobKey(run), largestObjectBytes)
      await objects.delete(jobKey(run))
      // Whoever claims it from now on finds no job under it; whoever did so before goes on with it.
      if (await isClaimed()) {
        if (job) await objects.put(jobKey(run), job)
        return false
      }
      await callOver([run])
      signedAtMs.delete(run)
      return true
    },
    async sweep() {
      const now = Date.now()
      const open = new Set<string>()
      const claims: { key: string; run: string }[] = []
      for await (const { key } of objects.list(queuePrefix)) {
        const named = parseKey(key)
        if (named?.kind === 'job' && named.run in state.done && !state.runs[named.run]) await objects.delete(key)
        else if (named?.kind === 'job') open.add(named.run)
        else if (named?.kind === 'claim') claims.push({ key, run: named.run })
        else if (named?.kind === 'ask' && (decodeTime(named.id) < now - validMs || (await isLeft(named.id))))
          await objects.delete(key)
      }
      formerMs = -1
      for (const run of open) if ((signedAtMs.get(run) ?? 0) < now - validMs / 2) await resign(run)
      for (const { key, run } of claims)
        if ((!open.has(run) && run in state.done) || isOldAsk(run, now)) await objects.delete(key)
    },
  }
}

/** The claim on what was asked of no run, and was never answered. */
function isOldAsk(run: string, nowMs: number): boolean {
  return parseKey(askKey(run)) !== undefined && decodeTime(run) < nowMs - validMs
}
