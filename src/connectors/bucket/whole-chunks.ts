// Cuts a feed of chunk records (docs/protocol.md, "Chunk records") between its records, so that each piece can be sent by itself.

import { failure } from '../../contract/errors.ts'

const recordBytes = 24
const longestChunk = 256 * 1024

/** Whole records with their bytes, as many as have come at once. */
export async function* wholeChunks(feed: AsyncIterable<Uint8Array>): AsyncGenerator<{ chunks: number; bytes: Buffer }> {
  let rest = Buffer.alloc(0)
  for await (const piece of feed) {
    rest = rest.byteLength === 0 ? Buffer.from(piece) : Buffer.concat([rest, piece])
    const { chunks, end } = countChunks(rest)
    if (chunks === 0) continue
    yield { chunks, bytes: rest.subarray(0, end) }
    rest = rest.subarray(end)
  }
  if (rest.byteLength > 0) throw failure('wire.protocol', { problem: 'a feed ends within a chunk' })
}

/** How many whole records there are (at most `most`), where they end, and how many bytes of each stream they bring. */
export function countChunks(bytes: Buffer, most = Infinity): { chunks: number; end: number; stdout: number; stderr: number } {
  const found = { chunks: 0, end: 0, stdout: 0, stderr: 0 }
  while (found.chunks < most && bytes.byteLength >= found.end + recordBytes) {
    const length = bytes.readUInt32BE(found.end + 4)
    if (length === 0 || length > longestChunk) throw failure('wire.protocol', { problem: 'a chunk record is malformed' })
    if (bytes.byteLength < found.end + recordBytes + length) break
    found[bytes.readUInt8(found.end) === 1 ? 'stdout' : 'stderr'] += length
    found.end += recordBytes + length
    found.chunks++
  }
  return found
}
