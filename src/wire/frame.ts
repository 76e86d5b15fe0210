// The binary frame: a piece of a stream that belongs to a request. u32 number, u8 type, u8 from, u32 request id (big-endian), payload.
// Read and written here only; the number is written as the frame is sent (numbering.ts); what a stream may send when is credit.ts
// and the two flows.

import { failure } from '../contract/errors.ts'
import { binaryNumberBytes } from './numbering.ts'

export const frameType = { data: 1, item: 2, end: 3, reset: 4, credit: 5, zeros: 6 } as const
export type FrameType = (typeof frameType)[keyof typeof frameType]

/** Which side of the request sent it: both sides number their requests alike, so the id alone would not say. */
export const sentBy = { caller: 0, callee: 1 } as const
export type SentBy = (typeof sentBy)[keyof typeof sentBy]

export interface StreamFrame {
  readonly number: number
  readonly type: FrameType
  readonly from: SentBy
  readonly id: number
  readonly payload: Buffer
}

const typeAt = binaryNumberBytes
const fromAt = typeAt + 1
const idAt = fromAt + 1
export const frameHeadBytes = idAt + 4
const nothing = Buffer.alloc(0)

export function encodeFrame(type: FrameType, from: SentBy, id: number, payload: Uint8Array = nothing): Buffer {
  const bytes = Buffer.allocUnsafe(frameHeadBytes + payload.byteLength)
  writeHead(bytes, type, from, id)
  bytes.set(payload, frameHeadBytes)
  return bytes
}

/** An ITEM frame, its JSON written in place. */
export function encodeItem(from: SentBy, id: number, json: string): Buffer {
  const bytes = Buffer.allocUnsafe(frameHeadBytes + Buffer.byteLength(json))
  writeHead(bytes, frameType.item, from, id)
  bytes.write(json, frameHeadBytes, 'utf8')
  return bytes
}

export function encodeCredit(from: SentBy, id: number, granted: number): Buffer {
  return encodeCount(frameType.credit, from, id, granted)
}

/** So many zero bytes of a byte stream, told instead of sent. */
export function encodeZeros(from: SentBy, id: number, count: number): Buffer {
  return encodeCount(frameType.zeros, from, id, count)
}

function encodeCount(type: FrameType, from: SentBy, id: number, count: number): Buffer {
  const bytes = Buffer.allocUnsafe(frameHeadBytes + 4)
  writeHead(bytes, type, from, id)
  bytes.writeUInt32BE(count, frameHeadBytes)
  return bytes
}

function writeHead(bytes: Buffer, type: FrameType, from: SentBy, id: number): void {
  bytes[typeAt] = type
  bytes[fromAt] = from
  bytes.writeUInt32BE(id, idAt)
}

/** The payload is a view of `bytes`. Throws `wire.protocol`. */
export function decodeFrame(bytes: Uint8Array): StreamFrame {
  if (bytes.byteLength < frameHeadBytes) throw failure('wire.protocol', { problem: 'a binary frame shorter than its head' })
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const type = buffer[typeAt] as number
  const from = buffer[fromAt] as number
  if (!isType(type)) throw failure('wire.protocol', { problem: `there is no binary frame of type ${type}` })
  if (from !== sentBy.caller && from !== sentBy.callee)
    throw failure('wire.protocol', { problem: `a binary frame from side ${from}` })
  return { number: buffer.readUInt32BE(0), type, from, id: buffer.readUInt32BE(idAt), payload: buffer.subarray(frameHeadBytes) }
}

function isType(type: number): type is FrameType {
  return type >= frameType.data && type <= frameType.zeros
}

/** How much a CREDIT frame grants. Throws `wire.protocol`. */
export function creditOf({ payload }: StreamFrame): number {
  if (payload.length !== 4) throw failure('wire.protocol', { problem: 'a CREDIT frame without its u32' })
  return payload.readUInt32BE(0)
}

/** No run of zeros is longer in one frame: a reader gets it as one piece. */
const mostZeros = 64 * 1024
const manyZeros = Buffer.alloc(mostZeros)

/** The bytes that a ZEROS frame stands for; all of them share one memory. Throws `wire.protocol`. */
export function zerosOf({ payload }: StreamFrame): Buffer {
  const count = payload.length === 4 ? payload.readUInt32BE(0) : 0
  if (count === 0 || count > mostZeros)
    throw failure('wire.protocol', { problem: `a ZEROS frame that is not of 1 to ${mostZeros} bytes` })
  return manyZeros.subarray(0, count)
}
