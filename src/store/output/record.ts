// Chunk records: how `order` files, and feeds from host to mirror, say which bytes of which stream came when.
//
//     u8 stream (1 stdout, 2 stderr) · 3 zero bytes · u32 length · u64 offset · u64 time in ms since the epoch    (big-endian)
//
// Record n of an `order` file is chunk n, counted from 1. On a feed each record is followed by its bytes.

import { failure } from '../../contract/errors.ts'
import type { OutputStream } from '../../contract/output.ts'

export const recordBytes = 24
/** A chunk has at least one byte and at most this many. */
export const chunkBytes = 256 * 1024

export interface ChunkRecord {
  readonly stream: OutputStream
  readonly offset: number
  readonly length: number
  /** Milliseconds since the epoch. */
  readonly at: number
}

export interface Chunk extends ChunkRecord {
  readonly bytes: Uint8Array
}

export function encodeRecord({ stream, offset, length, at }: ChunkRecord): Buffer {
  const record = Buffer.alloc(recordBytes)
  record.writeUInt8(stream === 'stdout' ? 1 : 2, 0)
  record.writeUInt32BE(length, 4)
  record.writeBigUInt64BE(BigInt(offset), 8)
  record.writeBigUInt64BE(BigInt(at), 16)
  return record
}

/** Undefined for bytes that no encoder made. */
export function parseRecord(record: Uint8Array): ChunkRecord | undefined {
  const view = new DataView(record.buffer, record.byteOffset, record.byteLength)
  const stream = view.getUint8(0)
  const length = view.getUint32(4)
  const offset = Number(view.getBigUint64(8))
  const at = Number(view.getBigUint64(16))
  const zeros = view.getUint32(0) === stream * 2 ** 24
  if (!zeros || (stream !== 1 && stream !== 2) || length === 0 || length > chunkBytes) return undefined
  if (!Number.isSafeInteger(offset) || at > latestTime) return undefined
  return { stream: stream === 1 ? 'stdout' : 'stderr', length, offset, at }
}

/** The last millisecond that a JavaScript date can be. */
const latestTime = 8.64e15

/** The chunks of a feed, however its bytes are cut. Throws `wire.protocol` for a malformed or an unfinished one. */
export async function* decodeChunks(feed: AsyncIterable<Uint8Array>): AsyncGenerator<Chunk> {
  let parts: Uint8Array[] = []
  let size = 0
  let record: ChunkRecord | undefined

  /** The next `count` bytes, without copying where they came in one piece. */
  const take = (count: number): Uint8Array => {
    const first = parts[0] as Uint8Array
    const whole = first.byteLength >= count ? first : Buffer.concat(parts)
    const rest = whole.subarray(count)
    parts = whole === first ? parts.slice(1) : []
    if (rest.byteLength > 0) parts.unshift(rest)
    size -= count
    return whole.subarray(0, count)
  }

  for await (const part of feed) {
    if (part.byteLength === 0) continue
    parts.push(part)
    size += part.byteLength
    for (;;) {
      if (!record) {
        if (size < recordBytes) break
        record = parseRecord(take(recordBytes))
        if (!record) throw failure('wire.protocol', { problem: 'a chunk record is malformed' })
      }
      if (size < record.length) break
      yield { ...record, bytes: take(record.length) }
      record = undefined
    }
  }
  if (size > 0 || record) throw failure('wire.protocol', { problem: 'a feed ends within a chunk' })
}
