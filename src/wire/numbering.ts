// The number that every frame bears, each direction for itself: how a side sees that a frame was lost, came twice or came out of order.
// Carriers deliver in order, but what stands between them (a relay, a proxy) may not. Nothing is sent again: see docs/protocol.md.

import { failure } from '../contract/errors.ts'

/** What the number adds to the longest text: `"frame":4294967295,`. */
export const textNumberBytes = 19
/** In a binary frame it comes first. */
export const binaryNumberBytes = 4

export interface Numbering {
  /** Writes the next number into a frame that is about to be sent; a binary frame has kept its first four bytes for it. */
  stamp<F extends string | Buffer>(frame: F): F
  /** Checks the number of a frame that came. Throws `wire.protocol` unless it is the next. */
  check(number: unknown): void
}

export function createNumbering(first = 0): Numbering {
  let next = first
  let expected = first
  return {
    stamp(frame) {
      const number = next
      next = after(number)
      if (typeof frame === 'string') return `{"frame":${number},${frame.slice(1)}` as typeof frame
      frame.writeUInt32BE(number, 0)
      return frame
    },
    check(number) {
      if (number !== expected)
        throw failure('wire.protocol', { problem: `the frame ${named(number)} where ${expected} was next` })
      expected = after(expected)
    },
  }
}

function after(number: number): number {
  return (number + 1) >>> 0
}

function named(number: unknown): string {
  return typeof number === 'number' ? `${number}` : 'without a number'
}
