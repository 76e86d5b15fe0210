// The asking side of a peer: a Caller whose calls travel as requests, and the table of those that wait for their answer.
// Answers are parsed by the operation's own schema: what comes from the other side is never trusted.

import type { Caller, CallOptions } from '../contract/caller.ts'
import { asMusterError, failure, type MusterError } from '../contract/errors.ts'
import { describeIssue } from '../contract/implementation.ts'
import type { BytesOperation, CallOperation, ItemsOperation, Operation, UploadOperation } from '../contract/operation.ts'
import { encodeCredit, encodeFrame, frameType, type StreamFrame, sentBy } from './frame.ts'
import { createInflow, type Inflow } from './inflow.ts'
import type { Limits } from './limits.ts'
import { encodeCancel, encodeRequest } from './messages.ts'
import type { Outbox } from './outbox.ts'
import { createOutflow } from './outflow.ts'
import { pendingTable } from './pending.ts'

export interface Asking {
  readonly caller: Caller
  readonly pendingCalls: number
  /** An answer came; one that nobody waits for is ignored. */
  answer(id: number, answer: Answer): void
  progress(id: number, value: unknown): void
  /** A frame of a stream came from the callee. Throws `wire.protocol`. */
  frame(frame: StreamFrame): void
  /** Ends every call with this error, at once, and each later one. */
  end(error: MusterError): void
}

export type Answer = { readonly result: unknown } | { readonly error: MusterError }

interface PendingCall {
  readonly settle: (answer: Answer) => void
  readonly progress: (value: unknown) => void
  readonly frame: (frame: StreamFrame) => void
}

/** What is different about each kind of call. */
interface Reception {
  readonly settled: (answer: Answer) => void
  readonly frame: (frame: StreamFrame) => void
}

interface OpenCall {
  readonly id: number
  /** Ends the call here with this error and tells the other side to stop; nothing if it has ended. */
  cancel(error: MusterError): void
}

/** setTimeout takes no more; a deadline beyond is none. */
const maxTimeoutMs = 0x7fff_ffff

export function createAsking({ outbox, limits }: { outbox: Outbox; limits: Limits }): Asking {
  const pending = pendingTable<PendingCall>()
  let ended: MusterError | undefined

  /** Sends the request. Throws `wire.closed`, `wire.overloaded`, `wire.too_large`, `call.cancelled`; later errors go to `reception`. */
  function open(operation: Operation, input: unknown, options: CallOptions | undefined, reception: Reception): OpenCall {
    const { signal, timeoutMs, onProgress } = options ?? {}
    if (ended) throw ended
    if (signal?.aborted) throw failure('call.cancelled')
    if (pending.size >= limits.maxPending) throw failure('wire.overloaded', { pending: pending.size })
    let sent = false
    let timer: NodeJS.Timeout | undefined

    const call: PendingCall = {
      settle(answer) {
        clearTimeout(timer)
        signal?.removeEventListener('abort', abort)
        reception.settled(answer)
      },
      progress(value) {
        try {
          onProgress?.(value)
        } catch (error) {
          cancel(asMusterError(error))
        }
      },
      frame(frame) {
        if (operation.kind !== 'upload') clearTimeout(timer)
        reception.frame(frame)
      },
    }
    const id = pending.add(call)

    function cancel(error: MusterError): void {
      if (pending.get(id) !== call) return
      pending.take(id)
      call.settle({ error })
      if (sent) outbox.send(encodeCancel(id))
    }
    const abort = () => cancel(failure('call.cancelled'))

    try {
      const text = encodeRequest(id, operation.name, timeoutMs === undefined ? { input } : { input, timeoutMs })
      requireSize(text, limits)
      signal?.addEventListener('abort', abort, { once: true })
      if (timeoutMs !== undefined && timeoutMs <= maxTimeoutMs) {
        timer = setTimeout(() => cancel(failure('call.deadline', { operation: operation.name, ms: timeoutMs })), timeoutMs)
      }
      void outbox.post('message', () => {
        if (pending.get(id) !== call) return undefined
        sent = true
        return text
      })
    } catch (error) {
      pending.take(id)
      throw asMusterError(error)
    }
    return { id, cancel }
  }

  function call(operation: CallOperation, input: unknown, options?: CallOptions): Promise<unknown> {
    return new Promise((resolve, reject) => {
      open(operation, input, options, {
        settled: (answer) => settlePromise(operation, answer, resolve, reject),
        frame: (frame) => refuse(operation, frame),
      })
    })
  }

  function stream<T>(
    operation: ItemsOperation | BytesOperation,
    input: unknown,
    options: CallOptions | undefined,
    type: StreamFrame['type'],
    decode: (piece: Buffer | string) => T,
  ): AsyncIterable<T> {
    return { [Symbol.asyncIterator]: () => openStream(operation, input, options, type, decode).reader }
  }

  function openStream<T>(
    operation: ItemsOperation | BytesOperation,
    input: unknown,
    options: CallOptions | undefined,
    type: StreamFrame['type'],
    decode: (piece: Buffer | string) => T,
  ): Inflow<T> {
    let opened: OpenCall | undefined
    let complete = false
    const inflow = createInflow<T>({
      window: limits.window,
      decode,
      grant: (bytes) => {
        if (opened && !complete) outbox.send(encodeCredit(sentBy.caller, opened.id, bytes))
      },
      onLeft: () => opened?.cancel(failure('call.cancelled')),
    })
    try {
      opened = open(operation, input, options, {
        settled(answer) {
          if (!('error' in answer)) return complete ? inflow.finish() : inflow.fail(answeredTooEarly(operation))
          return options?.signal?.aborted ? inflow.abort(answer.error) : inflow.fail(answer.error)
        },
        frame(frame) {
          if (complete || (frame.type !== type && frame.type !== frameType.end)) return refuse(operation, frame)
          if (frame.type === frameType.end) complete = true
          else inflow.push(frame)
        },
      })
    } catch (error) {
      inflow.fail(asMusterError(error))
    }
    return inflow
  }

  function upload(
    operation: UploadOperation,
    input: unknown,
    body: AsyncIterable<Uint8Array>,
    options?: CallOptions,
  ): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const opened = open(operation, input, options, {
        settled(answer) {
          outflow.stop()
          settlePromise(operation, answer, resolve, reject)
        },
        frame(frame) {
          if (frame.type === frameType.credit) outflow.grant(frame)
          else if (frame.type === frameType.reset) outflow.stop()
          else refuse(operation, frame)
        },
      })
      const outflow = createOutflow({ kind: 'bytes', id: opened.id, from: sentBy.caller, limits, outbox })
      outflow.run(body).catch((thrown: unknown) => {
        const error = asMusterError(thrown)
        outbox.send(encodeFrame(frameType.reset, sentBy.caller, opened.id, Buffer.from(JSON.stringify(error.toValue()))))
        opened.cancel(error)
      })
    })
  }

  const items = (operation: ItemsOperation, input: unknown, options?: CallOptions) =>
    stream(operation, input, options, frameType.item, (piece) => parseItem(operation, piece))
  const bytes = (operation: BytesOperation, input: unknown, options?: CallOptions) =>
    stream(operation, input, options, frameType.data, (piece) => piece)

  return {
    caller: { call, items, bytes, upload } as Caller,
    get pendingCalls() {
      return pending.size
    },
    answer: (id, answer) => pending.take(id)?.settle(answer),
    progress: (id, value) => pending.get(id)?.progress(value),
    frame: (frame) => pending.get(frame.id)?.frame(frame),
    end(error) {
      ended ??= error
      for (const call of pending.takeAll()) call.settle({ error })
    },
  }
}

function settlePromise(
  operation: Operation,
  answer: Answer,
  resolve: (value: unknown) => void,
  reject: (error: unknown) => void,
): void {
  if ('error' in answer) return reject(answer.error)
  try {
    resolve(parseOutput(operation, answer.result))
  } catch (error) {
    reject(error)
  }
}

function parseItem(operation: ItemsOperation, piece: Buffer | string): unknown {
  let item: unknown
  try {
    item = JSON.parse(piece as string)
  } catch (error) {
    throw failure('wire.protocol', { problem: `${operation.name} sent an item that is not JSON` }, { cause: error })
  }
  return parseOutput(operation, item)
}

function parseOutput(operation: Operation, value: unknown): unknown {
  const parsed = operation.output.safeParse(value)
  if (parsed.success) return parsed.data
  throw failure('wire.protocol', { problem: `${operation.name} answered ${parsed.error.issues.map(describeIssue).join('; ')}` })
}

function answeredTooEarly(operation: Operation): MusterError {
  return failure('wire.protocol', { problem: `${operation.name} answered before the end of its stream` })
}

function refuse(operation: Operation, { type }: StreamFrame): never {
  throw failure('wire.protocol', { problem: `a frame of type ${type} for ${operation.name}` })
}

function requireSize(text: string, { maxFrame }: Limits): void {
  if (text.length * 3 <= maxFrame) return
  const bytes = Buffer.byteLength(text)
  if (bytes > maxFrame) throw failure('wire.too_large', { bytes, limit: maxFrame })
}
