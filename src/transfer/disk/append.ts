// Writes what comes to the end of a file: pieces gathered to a write of a good size, the next of which is filled while the last is under
// way. What is nothing but zeros is passed over and becomes a hole.

import type { Hash } from 'node:crypto'
import type { FileHandle } from 'node:fs/promises'

const writeBytes = 1024 * 1024
/** Less is no block of any file system. */
const leastHole = 4096
const zeros = Buffer.alloc(writeBytes)

interface End {
  readonly hash: Hash
  front: number
}

export function appender(file: FileHandle, end: End) {
  let pieces: Uint8Array[] = []
  let gathered = 0
  /** Where `pieces` begin. */
  let from = end.front
  let under: Promise<void> = Promise.resolve()

  async function flush(): Promise<void> {
    await under
    if (gathered === 0) return
    under = write(file, pieces, from)
    // Heard of when it is waited for.
    under.catch(() => undefined)
    from += gathered
    pieces = []
    gathered = 0
  }

  async function skip(bytes: number): Promise<void> {
    await flush()
    from += bytes
  }

  return {
    /** Resolves when all of it is written, rejects with what the body or the disk says; what has come before is written then, too. */
    async take(body: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<void> {
      const source = body[Symbol.asyncIterator]()
      try {
        for (;;) {
          const next = await untilAborted(source.next(), signal)
          if (next.done) break
          const piece = next.value
          if (piece.byteLength === 0) continue
          end.hash.update(piece)
          end.front += piece.byteLength
          if (isZero(piece)) await skip(piece.byteLength)
          else {
            pieces.push(piece)
            gathered += piece.byteLength
            if (gathered >= writeBytes) await flush()
          }
        }
      } finally {
        // Not awaited: a body that is stuck must not keep who has left it.
        source.return?.()?.catch(() => undefined)
        await flush()
        await under
        // A hole at the end is as long as what comes after it, or nothing.
        if ((await file.stat()).size < end.front) await file.truncate(end.front)
      }
    },
  }
}

function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const end = () => reject(signal.reason)
    if (signal.aborted) end()
    signal.addEventListener('abort', end, { once: true })
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', end))
  })
}

async function write(file: FileHandle, pieces: readonly Uint8Array[], position: number): Promise<void> {
  let rest = pieces
  let at = position
  while (rest.length > 0) {
    const { bytesWritten } = await file.writev([...rest], at)
    at += bytesWritten
    rest = after(rest, bytesWritten)
  }
}

function after(pieces: readonly Uint8Array[], bytes: number): Uint8Array[] {
  let left = bytes
  return pieces.flatMap((piece) => {
    const cut = Math.min(left, piece.byteLength)
    left -= cut
    return cut === piece.byteLength ? [] : [piece.subarray(cut)]
  })
}

function isZero(piece: Uint8Array): boolean {
  const { byteLength } = piece
  if (byteLength < leastHole || byteLength > writeBytes || piece[0] !== 0 || piece[byteLength - 1] !== 0) return false
  return zeros.compare(piece, 0, byteLength, 0, byteLength) === 0
}
