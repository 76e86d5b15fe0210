// Bytes whose runs of zeros are told and not sent: how the streams of `bulk` operations go where a frame of the wire cannot say it, in
// HTTP bodies and in the objects of a bucket. Each run is a u32 (big-endian): so many bytes follow, or, with its highest bit, so many
// zeros that do not.

import { failure } from './errors.ts'
import { isZeros, zeros } from './zeros.ts'

export const sparseType = 'application/vnd.muster.sparse'

const lengthBytes = 4
const ofZeros = 0x8000_0000
/** Told or sent by so many bytes at once. */
const blockBytes = 64 * 1024

/** The runs of one piece. */
export function* sparse(piece: Uint8Array): Generator<Uint8Array> {
  let begin = 0
  let wasZeros = false
  for (let at = 0; at < piece.byteLength; at += blockBytes) {
    const isHole = isZeros(piece.subarray(at, at + blockBytes))
    if (isHole !== wasZeros) yield* run(piece.subarray(begin, at), wasZeros)
    if (isHole !== wasZeros) begin = at
    wasZeros = isHole
  }
  yield* run(piece.subarray(begin), wasZeros)
}

function* run(bytes: Uint8Array, isHole: boolean): Generator<Uint8Array> {
  if (bytes.byteLength === 0) return
  const length = Buffer.allocUnsafe(lengthBytes)
  length.writeUInt32BE(isHole ? bytes.byteLength + ofZeros : bytes.byteLength)
  yield length
  if (!isHole) yield bytes
}

export async function* toSparse(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const piece of source) yield* sparse(piece)
}

/** Throws `wire.protocol` where it ends in the middle of a run. */
export async function* fromSparse(source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let head = 0
  let headBytes = 0
  let left = 0
  for await (const piece of source) {
    let at = 0
    while (at < piece.byteLength) {
      if (left > 0) {
        const taken = piece.subarray(at, at + left)
        at += taken.byteLength
        left -= taken.byteLength
        yield taken
        continue
      }
      head = head * 256 + (piece[at++] as number)
      if (++headBytes < lengthBytes) continue
      if (head >= ofZeros) yield* zeros(head - ofZeros)
      else left = head
      head = 0
      headBytes = 0
    }
  }
  if (left > 0 || headBytes > 0) throw failure('wire.protocol', { problem: 'bytes that end in the middle of a run' })
}
