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

/** Bytes of a chunk as a feed brings them: a large chunk comes in several parts. */
export interface ChunkPart {
  readonly record: ChunkRecord
  /** Where in their stream these bytes are. */
  readonly offset: number
  readonly bytes: Uint8Array
}

/** The chunks of a feed, in parts that are views of what came. Throws `wire.protocol` for a malformed or an unfinished one. */
export async function* decodeFeed(feed: AsyncIterable<Uint8Array>): AsyncGenerator<ChunkPart> {
  let head = new Uint8Array()
  let record: ChunkRecord | undefined
  let offset = 0
  for await (const piece of feed) {
    for (let rest = piece; rest.byteLength > 0; ) {
      if (record) {
        const bytes = rest.subarray(0, endOf(record) - offset)
        rest = rest.subarray(bytes.byteLength)
        yield { record, offset, bytes }
        offset += bytes.byteLength
        if (offset === endOf(record)) record = undefined
      } else {
        const missing = rest.subarray(0, recordBytes - head.byteLength)
        rest = rest.subarray(missing.byteLength)
        head = Buffer.concat([head, missing])
        if (head.byteLength < recordBytes) break
        record = parseRecord(head)
        if (!record) throw failure('wire.protocol', { problem: 'a chunk record is malformed' })
        offset = record.offset
        head = new Uint8Array()
      }
    }
  }
  if (record || head.byteLength > 0) throw failure('wire.protocol', { problem: 'a feed ends within a chunk' })
}

/** Where the byte after the chunk is in its stream. */
export function endOf({ offset, length }: ChunkRecord): number {
  return offset + length
}
