// The receiving end of a stream: frames queue here, within the window, until their reader takes them.
// Written by hand and not as a generator: leaving it must work at once, also while a `next()` is waiting.

import { isUtf8 } from 'node:buffer'
import { asMusterError, failure, type MusterError } from '../contract/errors.ts'
import { costOf, receiveCredit } from './credit.ts'
import { frameType, type StreamFrame, zerosOf } from './frame.ts'

export interface Inflow<T> {
  readonly reader: AsyncIterator<T, undefined>
  /** Takes a DATA, ZEROS or ITEM frame. Throws `wire.protocol` when it exceeds the window, is empty, or comes after the end. */
  push(frame: StreamFrame): void
  /** No more frames will come; what is queued is still read. */
  finish(): void
  /** As `finish`, and then the reader fails. */
  fail(error: MusterError): void
  /** As `fail`, and what is queued is dropped. */
  abort(error: MusterError): void
}

export interface InflowOptions<T> {
  readonly window: number
  readonly grant: (bytes: number) => void
  /** Makes of a queued piece what the reader gets. What it throws ends the stream. */
  readonly decode: (piece: Buffer | string) => T
  /** The reader has left before the end. */
  readonly onLeft: () => void
}

type Next<T> = PromiseWithResolvers<IteratorResult<T, undefined>>

export function createInflow<T>({ window, grant, decode, onLeft }: InflowOptions<T>): Inflow<T> {
  const credit = receiveCredit(window)
  let queue: { piece: Buffer | string; cost: number }[] = []
  let waiting: Next<T>[] = []
  let state: 'open' | 'finished' | 'left' = 'open'
  let failed: MusterError | undefined

  function next(): Promise<IteratorResult<T, undefined>> {
    const first = queue.shift()
    if (first) return take(first)
    if (failed) {
      const error = failed
      failed = undefined
      return Promise.reject(error)
    }
    if (state !== 'open') return Promise.resolve({ done: true, value: undefined })
    const later: Next<T> = Promise.withResolvers()
    waiting.push(later)
    return later.promise
  }

  async function take({ piece, cost }: (typeof queue)[number]): Promise<IteratorResult<T, undefined>> {
    const granted = credit.take(cost)
    if (granted > 0 && state === 'open') grant(granted)
    try {
      return { done: false, value: decode(piece) }
    } catch (error) {
      leave()
      throw asMusterError(error)
    }
  }

  function leave(): void {
    const early = state === 'open'
    state = 'left'
    queue = []
    failed = undefined
    settle()
    if (early) onLeft()
  }

  function settle(): void {
    const asking = waiting
    waiting = []
    for (const later of asking) next().then(later.resolve, later.reject)
  }

  function end(error?: MusterError): void {
    if (state !== 'open') return
    state = 'finished'
    failed = error
    settle()
  }

  return {
    reader: {
      next,
      async return() {
        leave()
        return { done: true, value: undefined }
      },
    },
    push(frame) {
      // What was under way when the reader left is dropped.
      if (state === 'left') return
      if (state === 'finished') throw failure('wire.protocol', { problem: 'a stream went on after its end' })
      if (frame.payload.length === 0) throw failure('wire.protocol', { problem: 'an empty piece of a stream' })
      const cost = costOf(frame.payload.length)
      credit.receive(cost, frame.type === frameType.item ? 'item' : 'data')
      const piece = pieceOf(frame)
      const asking = waiting.shift()
      if (asking) take({ piece, cost }).then(asking.resolve, asking.reject)
      else queue.push({ piece, cost })
    },
    finish: () => end(),
    fail: end,
    abort(error) {
      queue = []
      end(error)
    },
  }
}

function pieceOf(frame: StreamFrame): Buffer | string {
  if (frame.type === frameType.item) return textOf(frame.payload)
  return frame.type === frameType.zeros ? zerosOf(frame) : owned(frame.payload)
}

/** A small view would keep the whole buffer alive that it was read into. */
function owned(payload: Buffer): Buffer {
  return payload.length * 2 < payload.buffer.byteLength ? Buffer.from(payload) : payload
}

function textOf(payload: Buffer): string {
  if (!isUtf8(payload)) throw failure('wire.protocol', { problem: 'an item that is not UTF-8' })
  return payload.toString('utf8')
}
