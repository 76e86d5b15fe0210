// What a hub asks through a bucket: runs to start, and what is done with them. Each is an object, signed, that a worker answers; a run that
// no worker has taken is taken back.

import { createHash } from 'node:crypto'
import type { Logger } from 'pino'
import type { CallOptions } from '../../contract/caller.ts'
import { deadlineOf } from '../../contract/deadline.ts'
import { asMusterError, failure, MusterError } from '../../contract/errors.ts'
import type { Operation } from '../../contract/operation.ts'
import { cancelRun, startRun, writeStdin } from '../../contract/run.ts'
import type { Answers } from './answers.ts'
import { answersOfPeople } from './asked-of-people.ts'
import { currentClaim } from './claims.ts'
import { askKey, jobKey } from './keys.ts'
import type { Opened } from './opened.ts'
import { inPieces } from './pieces.ts'
import { untilAborted } from './until-aborted.ts'

/** So many pieces of standard input lie in the bucket at once. */
const piecesAhead = 4

export interface Asking {
  /** Something that may be done later, of one run. */
  call(operation: Operation, run: string, input: unknown, options?: CallOptions): Promise<unknown>
  /** Something of no run, for as long as somebody waits for it; `worker` is the only one that may do it. */
  callOfNoRun(operation: Operation, asked: NoRun, options?: CallOptions): Promise<unknown>
  /** The same, with a body, and answered as the worker says it. */
  ask(operation: Operation, asked: NoRun, options?: CallOptions): Promise<unknown>
  /** Standard input, which is written from an offset on, so that its pieces can come one by one. */
  writeStdin(input: StdinInput, body: AsyncIterable<Uint8Array>, options?: CallOptions): Promise<unknown>
}

interface NoRun {
  readonly input: unknown
  readonly worker: string | undefined
  readonly body?: Uint8Array | undefined
}

interface StdinInput {
  readonly run: string
  readonly offset?: number
  readonly end?: boolean
}

export interface AskingOf {
  /** What people call the host by now. */
  readonly name: () => string
  readonly open: () => Promise<Opened>
  readonly answers: Answers
  /** Aborts when the hub is done with this bucket. */
  readonly closing: AbortSignal
  readonly log: Logger
}

export function openAsking({ name, open, answers, closing, log }: AskingOf): Asking {
  /** What takes a run's job back, for each who is cancelling it now. */
  const cancelling = new Map<string, Set<() => Promise<void>>>()
  const untilClosing = (signal: AbortSignal) => AbortSignal.any([signal, closing])

  async function call(operation: Operation, run: string, input: unknown, options?: CallOptions): Promise<unknown> {
    using deadline = deadlineOf(operation, options)
    const signal = untilClosing(deadline.signal)
    const opened = await untilAborted(open(), signal)
    if (operation.name === startRun.name) return await begin(opened, run, input, signal)
    const ask = async (within = signal) => {
      const id = await untilAborted(opened.requests.putAsk({ run, operation: operation.name, input }), within)
      return operation.output.parse(await answers.wait(askKey(id), within))
    }
    return operation.name === cancelRun.name ? await cancel(opened, run, signal, ask) : await ask()
  }

  async function ask(operation: Operation, { input, worker, body }: NoRun, options?: CallOptions): Promise<unknown> {
    using deadline = deadlineOf(operation, options)
    const signal = untilClosing(deadline.signal)
    const opened = await untilAborted(open(), signal)
    const id = await opened.requests.putAsk({ operation: operation.name, input, worker, forMs: options?.timeoutMs }, body)
    try {
      return await answers.wait(askKey(id), signal)
    } finally {
      if (signal.aborted)
        leave(opened, operation, id).catch((error) => {
          log.warn({ host: name(), id, error: asMusterError(error).toValue() }, 'what nobody waits for could not be taken back')
        })
    }
  }

  /**
   * Who has asked does not wait any more. What a worker has begun is taken back; a hub that closes only leaves it, as one that is killed
   * does, and lets lie what a person has answered.
   */
  async function leave({ objects, requests, trust }: Opened, operation: Operation, id: string): Promise<void> {
    if (closing.aborted && answersOfPeople.has(operation.name)) return
    const isBegun = !closing.aborted && (await currentClaim(objects, trust, id)).claim !== undefined
    await (isBegun ? requests.takeBack(id) : requests.drop(id))
  }

  /** The run as its host has accepted it. Asked for again, it is the same run. */
  async function begin({ inbox, requests }: Opened, run: string, input: unknown, signal: AbortSignal): Promise<unknown> {
    const { specs, runs } = inbox.state
    const spec = digestOf(input)
    specs[run] ??= spec
    if (specs[run] !== spec) throw failure('run.conflict', { run })
    const known = runs[run]?.run
    if (known) return known
    const refused = inbox.state.refused[run]
    if (refused) throw new MusterError(refused)
    const answer = answers.wait(jobKey(run), signal)
    await Promise.race([requests.putJob(run, input), answer])
    await Promise.all([...(cancelling.get(run) ?? [])].map((takeBack) => takeBack()))
    return startRun.output.parse(await answer)
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

  /** Whether the run's job was taken back before a worker had claimed it. One that was claimed is cancelled like any run. */
  async function withdraw({ objects, inbox, requests, trust }: Opened, run: string): Promise<boolean> {
    const { specs, runs, refused } = inbox.state
    if (!(run in specs) || runs[run]?.run || refused[run]) return false
    if (!(await requests.withdraw(run, async () => (await currentClaim(objects, trust, run)).claim !== undefined))) return false
    const error = failure('run.ended', { run, state: 'cancelled' })
    refused[run] = error.toValue()
    await inbox.save()
    answers.settle(jobKey(run), error, undefined)
    return true
  }

  return {
    call,
    callOfNoRun: async (operation, asked, options) => operation.output.parse(await ask(operation, asked, options)),
    ask,
    async writeStdin({ run, offset = 0, end = true }, body, options) {
      using deadline = deadlineOf(writeStdin, options)
      const signal = untilClosing(deadline.signal)
      const { requests } = await untilAborted(open(), signal)
      const waited: Promise<unknown>[] = []
      for await (const { bytes, isLast } of inPieces(body)) {
        const ask = { run, operation: writeStdin.name, input: { run, offset, end: isLast && end } }
        offset += bytes.byteLength
        const answer = answers.wait(askKey(await untilAborted(requests.putAsk(ask, bytes), signal)), signal)
        // Heard of below.
        answer.catch(() => undefined)
        waited.push(answer)
        if (waited.length > piecesAhead) await waited.shift()
      }
      return writeStdin.output.parse((await Promise.all(waited)).at(-1))
    },
  }
}

/** Of what a run is to be; the fence of who asks is no part of it. */
function digestOf(input: unknown): string {
  const { spec, parent } = startRun.input.parse(input)
  return createHash('sha256')
    .update(JSON.stringify([spec, parent]))
    .digest('hex')
}
