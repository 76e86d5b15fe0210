// The answering side of a peer: carries out the other side's requests through `admit`, each exactly once answered.
// A call holds its place until its handler has ended, also when it was cancelled: otherwise cancelling would get round the limit.

import { asMusterError, failure, type MusterError } from '../contract/errors.ts'
import { admit, type Bound, type CallContext, type Implementation, type Principal } from '../contract/implementation.ts'
import type { Operation } from '../contract/operation.ts'
import { encodeCredit, encodeFrame, frameType, type StreamFrame, sentBy } from './frame.ts'
import { createInflow, type Inflow } from './inflow.ts'
import { bulkUploads, type Limits, limitsOf } from './limits.ts'
import { encodeError, encodeProgress, encodeResult, type Message, parseErrorValue, tooLarge } from './messages.ts'
import type { Outbox } from './outbox.ts'
import { createOutflow, type Outflow } from './outflow.ts'

export interface Serving {
  /** Starts to carry out a request. Throws `wire.protocol` for an id that is in flight. */
  request(request: Extract<Message, { type: 'request' }>): void
  /** Cancels a call; one that is not in flight is none. */
  cancel(id: number): void
  /** A frame of a stream came from the caller. Throws `wire.protocol`. */
  frame(frame: StreamFrame): void
  /** Ends every call: signals abort with this reason, streams are left. */
  end(reason: MusterError): void
}

export interface ServingOptions {
  readonly offers: Implementation
  readonly principal: Principal
  readonly limits: Limits
  readonly outbox: Outbox
}

interface ServedCall {
  readonly id: number
  readonly method: string
  readonly ending: AbortController
  timer?: NodeJS.Timeout
  body?: Inflow<Uint8Array>
  takesZeros?: boolean
  outflow?: Outflow
  answered: boolean
}

const noBody: AsyncIterable<Uint8Array> = { async *[Symbol.asyncIterator]() {} }

export function createServing({ offers, principal, limits, outbox }: ServingOptions): Serving {
  /** Those not yet answered, by id. */
  const calls = new Map<number, ServedCall>()
  /** Those whose handler has not ended, answered or not. */
  const held = new Set<ServedCall>()
  let uploads = 0

  function request({ id, method, params }: Extract<Message, { type: 'request' }>): void {
    if (calls.has(id)) throw failure('wire.protocol', { problem: `the request ${id} is in flight already` })
    if (held.size >= limits.maxPending) return refuse(id, held.size)
    const uploading = costOfUpload(offers.get(method)?.operation)
    if (uploading > 0 && uploads + uploading > limits.maxUploads) return refuse(id, uploads)
    const call: ServedCall = { id, method, ending: new AbortController(), answered: false }
    calls.set(id, call)
    held.add(call)
    uploads += uploading
    void carryOut(call, params).finally(() => {
      held.delete(call)
      uploads -= uploading
    })
  }

  /** Not queued like an answer: it holds no place that would bound how many there are. */
  function refuse(id: number, pending: number): void {
    if (outbox.overfull) throw failure('wire.protocol', { problem: 'it sends calls and does not read the answers' })
    outbox.send(encodeError(id, failure('wire.overloaded', { pending })))
  }

  async function carryOut(call: ServedCall, params: Readonly<Record<string, unknown>>): Promise<void> {
    try {
      const timeoutMs = parseTimeout(params.timeoutMs)
      const { bound, input } = admit(offers, call.method, params.input, principal)
      const { kind } = bound.operation
      // The deadline of a stream bounds its first answer only: its caller keeps it.
      if (timeoutMs !== undefined && (kind === 'call' || kind === 'upload')) call.timer = deadline(call, timeoutMs)
      const result = await perform(call, bound, input)
      await answer(call, () => encodeResult(call.id, result))
    } catch (error) {
      await answer(call, () => encodeError(call.id, asMusterError(error)))
    } finally {
      clearTimeout(call.timer)
      // Whatever of the body is still read after the answer never comes.
      call.body?.abort(failure('call.cancelled'))
    }
  }

  async function perform(call: ServedCall, bound: Bound, input: unknown): Promise<unknown> {
    const { id } = call
    const context: CallContext = { principal, signal: call.ending.signal, progress: (value) => progress(call, value) }
    switch (bound.operation.kind) {
      case 'call':
        return bound.handle(input, context, noBody)
      case 'upload': {
        const own = limitsOf(bound.operation, limits)
        call.takesZeros = own.zeros
        call.body = bodyOf(call, own)
        return bound.handle(input, context, { [Symbol.asyncIterator]: () => (call.body as Inflow<Uint8Array>).reader })
      }
      case 'items':
      case 'bytes': {
        call.outflow = createOutflow({
          kind: bound.operation.kind,
          id,
          from: sentBy.callee,
          limits: limitsOf(bound.operation, limits),
          outbox,
        })
        await call.outflow.run(bound.handle(input, context, noBody) as AsyncIterable<unknown>)
        return null
      }
    }
  }

  function bodyOf(call: ServedCall, { window }: Limits): Inflow<Uint8Array> {
    const { id } = call
    return createInflow<Uint8Array>({
      window,
      decode: (piece) => piece as Buffer,
      grant: (bytes) => {
        if (!call.answered) outbox.send(encodeCredit(sentBy.callee, id, bytes))
      },
      // The handler wants no more of it, though it has not answered yet.
      onLeft: () => {
        if (!call.answered) outbox.send(encodeFrame(frameType.reset, sentBy.callee, id, unwanted))
      },
    })
  }

  function progress(call: ServedCall, value: unknown): void {
    // It is advice: what a congested connection cannot carry, or no frame can hold, is dropped.
    if (call.answered || outbox.overfull) return
    const text = encodeProgress(call.id, value)
    if (!tooLarge(text, limits)) outbox.send(text)
  }

  /** The first answer counts; resolves when it has gone out. */
  async function answer(call: ServedCall, encode: () => string): Promise<void> {
    if (call.answered) return
    call.answered = true
    const text = encodeWithin(call.id, encode, limits)
    await outbox.post('message', () => {
      calls.delete(call.id)
      return text
    })
    calls.delete(call.id)
  }

  function end(call: ServedCall, error: MusterError): void {
    void answer(call, () => encodeError(call.id, error))
    call.ending.abort(error)
    call.outflow?.stop()
    call.body?.abort(error)
  }

  function deadline(call: ServedCall, timeoutMs: number): NodeJS.Timeout {
    return setTimeout(() => end(call, failure('call.deadline', { operation: call.method, ms: timeoutMs })), timeoutMs).unref()
  }

  return {
    request,
    cancel(id) {
      const call = calls.get(id)
      if (call) end(call, failure('call.cancelled'))
    },
    frame(frame) {
      const call = calls.get(frame.id)
      if (!call || call.answered) return
      if (frame.type === frameType.credit && call.outflow) return call.outflow.grant(frame)
      if (call.body) {
        if (frame.type === frameType.data || (frame.type === frameType.zeros && call.takesZeros)) return call.body.push(frame)
        if (frame.type === frameType.end) return call.body.finish()
        if (frame.type === frameType.reset) return call.body.fail(parseReset(frame))
      }
      throw failure('wire.protocol', { problem: `a frame of type ${frame.type} for ${call.method}` })
    },
    end(reason) {
      for (const call of held) end(call, reason)
    },
  }
}

/** In places of those that a connection may have, since each may cost a window of memory. */
function costOfUpload(operation: Operation | undefined): number {
  if (operation?.kind !== 'upload') return 0
  return operation.bulk ? bulkUploads : 1
}

const unwanted = Buffer.from(JSON.stringify(failure('call.cancelled').toValue()))

function parseTimeout(timeoutMs: unknown): number | undefined {
  if (timeoutMs === undefined) return undefined
  if (typeof timeoutMs === 'number' && timeoutMs >= 0 && timeoutMs <= 0x7fff_ffff) return timeoutMs
  if (typeof timeoutMs === 'number' && timeoutMs > 0x7fff_ffff) return undefined
  throw failure('input.invalid', { what: 'timeoutMs', problem: 'it is not a number of milliseconds' })
}

/** An answer that cannot be said, or is too large to be said, becomes the error that says so. */
function encodeWithin(id: number, encode: () => string, limits: Limits): string {
  try {
    const text = encode()
    const problem = tooLarge(text, limits)
    return problem ? encodeError(id, problem) : text
  } catch (error) {
    return encodeError(id, asMusterError(error))
  }
}

function parseReset({ payload }: StreamFrame): MusterError {
  try {
    return parseErrorValue(JSON.parse(payload.toString('utf8')))
  } catch (error) {
    throw failure('wire.protocol', { problem: 'a RESET frame without an error' }, { cause: error })
  }
}
