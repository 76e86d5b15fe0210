// Where a run's output stands by its files alone: what an observer or an appender finds when it opens them, also after a crash.

import type { FileHandle } from 'node:fs/promises'
import { beginning, type OutputPosition, recordsFrom, type Sizes } from './files.ts'
import { fill } from './readable-files.ts'
import { recordBytes } from './record.ts'

const pieceBytes = 16 * 1024 * recordBytes

/** The position after the last record of `order` that is whole. Read in pieces: a chatty run's has millions of records. */
export async function wholePosition(order: FileHandle, sizes: Sizes): Promise<OutputPosition> {
  const piece = Buffer.allocUnsafe(pieceBytes)
  let position = beginning
  for (;;) {
    const read = await fill(order, piece, position.chunk * recordBytes)
    const found = recordsFrom(position, piece.subarray(0, read), sizes)
    position = found.position
    if (found.records.length * recordBytes < pieceBytes) return position
  }
}
