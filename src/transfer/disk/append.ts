// Writes what comes to the end of a file, and counts it. What is nothing but zeros is passed over and becomes a hole.

import type { Hash } from 'node:crypto'
import type { FileHandle } from 'node:fs/promises'
import { isZeros } from '../../contract/zeros.ts'
import { fileWriter } from './file-writer.ts'

interface End {
  readonly hash: Hash
  front: number
}

/** Resolves when all of it is written, rejects with what the body or the disk says; what has come before is written then, too. */
export async function append(file: FileHandle, end: End, body: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<void> {
  const writer = fileWriter(file, end.front)
  const source = body[Symbol.asyncIterator]()
  try {
    for (;;) {
      const next = await untilAborted(source.next(), signal)
      if (next.done) break
      const piece = next.value
      end.hash.update(piece)
      end.front += piece.byteLength
      if (isZeros(piece)) await writer.skip(piece.byteLength)
      else await writer.write(piece)
    }
  } finally {
    // Not awaited: a body that is stuck must not keep who has left it.
    source.return?.()?.catch(() => undefined)
    await writer.end()
    // A hole at the end is as long as what comes after it, or nothing.
    if ((await file.stat()).size < end.front) await file.truncate(end.front)
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
