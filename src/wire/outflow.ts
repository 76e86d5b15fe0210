// The sending end of a stream: takes from a source as fast as credit and the connection allow, never faster.
// Used for a handler's items and bytes, and for a caller's upload; what the frames belong to is told by `id` and `from`.

import { failure } from '../contract/errors.ts'
import { isZeros } from '../contract/zeros.ts'
import { costOf, frameCharge, sendCredit } from './credit.ts'
import {
  creditOf,
  encodeFrame,
  encodeItem,
  encodeZeros,
  frameHeadBytes,
  frameType,
  type SentBy,
  type StreamFrame,
} from './frame.ts'
import type { Limits } from './limits.ts'
import type { Outbox } from './outbox.ts'

export interface Outflow {
  /** Sends the source to its end and END. Resolves early when it is stopped; rejects with what the source throws. */
  run(source: AsyncIterable<unknown>): Promise<void>
  /** Takes a CREDIT frame. Throws `wire.protocol`. */
  grant(frame: StreamFrame): void
  /** Sends nothing more and leaves the source. */
  stop(): void
}

export interface OutflowOptions {
  readonly kind: 'items' | 'bytes'
  readonly id: number
  readonly from: SentBy
  readonly limits: Limits
  readonly outbox: Outbox
}

const maxPieceBytes = 64 * 1024

export function createOutflow({ kind, id, from, limits, outbox }: OutflowOptions): Outflow {
  const credit = sendCredit(limits.window)
  const maxPiece = Math.min(maxPieceBytes, limits.maxFrame - frameHeadBytes)
  let iterator: AsyncIterator<unknown> | undefined
  let stopped = false
  let granted = () => {}

  async function run(source: AsyncIterable<unknown>): Promise<void> {
    if (stopped) return
    const reading = source[Symbol.asyncIterator]()
    iterator = reading
    try {
      for (;;) {
        const next = await reading.next()
        if (next.done) iterator = undefined
        if (stopped) return
        if (next.done) break
        await (kind === 'items' ? sendItem(next.value) : sendBytes(next.value))
      }
      await post(encodeFrame(frameType.end, from, id))
    } catch (error) {
      // A source that was left may fail as it ends; nobody waits for it any more.
      if (!stopped) throw error
    } finally {
      stop()
    }
  }

  async function sendItem(item: unknown): Promise<void> {
    const frame = encodeItem(from, id, JSON.stringify(item ?? null))
    if (frame.length > limits.maxFrame) throw failure('wire.too_large', { bytes: frame.length, limit: limits.maxFrame })
    while (credit.left <= 0 && !stopped) await nextGrant()
    credit.spend(costOf(frame.length - frameHeadBytes))
    await post(frame)
  }

  async function sendBytes(value: unknown): Promise<void> {
    if (!(value instanceof Uint8Array)) throw failure('internal', { problem: 'a byte stream yielded something else than bytes' })
    for (let at = 0; at < value.byteLength && !stopped; ) {
      const rest = value.byteLength - at
      // Half a window at least, so that a slow reader is not fed in crumbs.
      const wanted = Math.min(costOf(Math.min(rest, maxPiece)), limits.window / 2)
      while (credit.left < wanted && !stopped) await nextGrant()
      const length = Math.min(rest, maxPiece, credit.left - frameCharge)
      const piece = value.subarray(at, at + length)
      const frame = limits.zeros && isZeros(piece) ? encodeZeros(from, id, length) : encodeFrame(frameType.data, from, id, piece)
      credit.spend(costOf(frame.length - frameHeadBytes))
      await post(frame)
      at += length
    }
  }

  function nextGrant(): Promise<void> {
    return new Promise((resolve) => {
      granted = resolve
    })
  }

  function post(frame: Buffer): Promise<void> | undefined {
    return outbox.post('data', () => (stopped ? undefined : frame))
  }

  function stop(): void {
    stopped = true
    granted()
    if (iterator) void leave(iterator)
    iterator = undefined
  }

  return {
    run,
    grant(frame) {
      credit.grant(creditOf(frame))
      granted()
    },
    stop,
  }
}

/** Not awaited by anybody: a source that is stuck in a read must not keep the call. */
async function leave(iterator: AsyncIterator<unknown>): Promise<void> {
  try {
    await iterator.return?.()
  } catch {
    // Its complaint about being left concerns nobody: the call has its answer.
  }
}
