// A byte stream in pieces that are worth an object each: as much as comes until a piece is full or nothing more comes for a while.

import { setTimeout } from 'node:timers/promises'

const mostBytes = 4 * 1024 * 1024
const quietMs = 1_000

/** At least one piece, which may be empty; the last one says so. */
export async function* inPieces(body: AsyncIterable<Uint8Array>): AsyncGenerator<{ bytes: Buffer; isLast: boolean }> {
  const source = body[Symbol.asyncIterator]()
  try {
    let next = source.next()
    for (let parts: Uint8Array[] = [], size = 0; ; ) {
      const come = size === 0 ? await next : await Promise.race([next, setTimeout(quietMs, undefined, { ref: false })])
      if (come?.done) return yield { bytes: Buffer.concat(parts), isLast: true }
      if (come) {
        parts.push(come.value)
        size += come.value.byteLength
        next = source.next()
      }
      if (size > 0 && (!come || size >= mostBytes)) {
        yield { bytes: Buffer.concat(parts), isLast: false }
        parts = []
        size = 0
      }
    }
  } finally {
    // Not awaited: a source that is stuck in a read must not keep its reader, who has left.
    source.return?.().catch(() => undefined)
  }
}
