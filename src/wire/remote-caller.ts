// A Caller whose calls travel as requests of a peer: what each kind of operation does with answers and frames.
// Answers are parsed by the operation's own schema: what comes from the other side is never trusted.

import type { Caller, CallOptions } from '../contract/caller.ts'
import { asMusterError, failure, type MusterError } from '../contract/errors.ts'
import { describeIssue } from '../contract/implementation.ts'
import type { BytesOperation, CallOperation, ItemsOperation, Operation, UploadOperation } from '../contract/operation.ts'
import type { Answer, OpenCall, OpenRequest } from './asking.ts'
import { encodeCredit, encodeFrame, frameType, type StreamFrame, sentBy } from './frame.ts'
import { createInflow, type Inflow } from './inflow.ts'
import { type Limits, limitsOf } from './limits.ts'
import type { Outbox } from './outbox.ts'
import { createOutflow } from './outflow.ts'

export function remoteCaller({ open, outbox, limits }: { open: OpenRequest; outbox: Outbox; limits: Limits }): Caller {
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
    const { window, zeros } = limitsOf(operation, limits)
    const belongs = (given: StreamFrame['type']) =>
      given === type || given === frameType.end || (given === frameType.zeros && zeros && operation.kind === 'bytes')
    const inflow = createInflow<T>({
      window,
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
          if (complete || !belongs(frame.type)) return refuse(operation, frame)
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
      const outflow = createOutflow({
        kind: 'bytes',
        id: opened.id,
        from: sentBy.caller,
        limits: limitsOf(operation, limits),
        outbox,
      })
      outflow.run(body).catch((thrown: unknown) => {
        const error = asMusterError(thrown)
        const reset = encodeFrame(frameType.reset, sentBy.caller, opened.id, Buffer.from(JSON.stringify(error.toValue())))
        // Without it the callee learns from the cancelling that no more comes.
        if (reset.length <= limits.maxFrame) outbox.send(reset)
        opened.cancel(error)
      })
    })
  }

  const items = (operation: ItemsOperation, input: unknown, options?: CallOptions) =>
    stream(operation, input, options, frameType.item, (piece) => parseItem(operation, piece))
  const bytes = (operation: BytesOperation, input: unknown, options?: CallOptions) =>
    stream(operation, input, options, frameType.data, (piece) => piece)

  return { call, items, bytes, upload } as Caller
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
