// Streams through a bucket: an operation that may be deferred and has a stream is asked piece by piece, each a question and its answer in an
// object of bounded size. The hub's side cuts and joins, the worker's side carries out one piece.

import { z } from 'zod'
import type { Caller } from '../../contract/caller.ts'
import { failure } from '../../contract/errors.ts'
import type { BytesOperation, CallOperation, ItemsOperation, Operation, UploadOperation } from '../../contract/operation.ts'
import { fromSparse, sparse } from '../../contract/sparse.ts'
import { largestObjectBytes } from './messages.ts'

/** Of a stream down, in one answer. In the Base64 of its segment it is a third larger. */
const pieceBytes = 4 * 1024 * 1024
/** Of one that cannot be asked for in pieces. */
const mostBytes = 1.5 * pieceBytes
/** Questions for pieces of one stream that lie in the bucket at once: most of the time is waiting for the worker's next look. */
const piecesAhead = 3
/** Of a stream up, in one question. */
const questionBytes = largestObjectBytes / 2
const itemsInAnswer = 1_000

const BytesPiece = z.object({ base64: z.string() })
const ItemsPiece = z.object({ items: z.array(z.unknown()), more: z.boolean() })

type Input = Readonly<Record<string, unknown>>
/** Puts one question and answers with what the worker said. */
export type AskPiece = (operation: Operation, input: Input, body?: Uint8Array) => Promise<unknown>

/** Where the operation takes an offset and a limit, pieces of it; else all of it in one. */
export async function* bytesInPieces(operation: BytesOperation, input: Input, ask: AskPiece): AsyncGenerator<Uint8Array> {
  const bytes = async (piece: Input, most: number) => {
    const sent = Buffer.from(BytesPiece.parse(await ask(operation, piece)).base64, 'base64')
    return operation.bulk ? await collected(fromSparse([sent]), most) : sent
  }
  if (!('offset' in operation.input.shape)) return yield await bytes(input, mostBytes)
  const begin = Number(input.offset ?? 0)
  const end = input.limit === undefined ? Infinity : begin + Number(input.limit)
  const under: { readonly bytes: Promise<Buffer>; readonly wanted: number }[] = []
  let next = begin
  for (;;) {
    while (under.length < piecesAhead && next < end) {
      const wanted = Math.min(pieceBytes, end - next)
      const piece = bytes({ ...input, offset: next, limit: wanted }, wanted)
      // Heard of when it is its turn.
      piece.catch(() => undefined)
      under.push({ bytes: piece, wanted })
      next += wanted
    }
    const first = under.shift()
    if (!first) return
    const piece = await first.bytes
    if (piece.byteLength > 0) yield piece
    if (piece.byteLength < first.wanted) return
  }
}

export async function* itemsInPieces(operation: ItemsOperation, input: Input, ask: AskPiece): AsyncGenerator<unknown> {
  let after = Number(input.after ?? 0)
  for (;;) {
    const { items, more } = ItemsPiece.parse(await ask(operation, { ...input, after }))
    for (const item of items) {
      const parsed = operation.output.parse(item) as Record<string, unknown>
      after = Number(parsed[operation.numberedBy ?? ''])
      yield parsed
    }
    if (!more || items.length === 0) return
  }
}

/** Where the operation takes an offset, piece after piece; else it has to fit into one. */
export async function uploadInPieces(
  operation: UploadOperation,
  input: Input,
  body: AsyncIterable<Uint8Array>,
  ask: AskPiece,
): Promise<unknown> {
  const isWhole = !('offset' in operation.input.shape)
  let offset = Number(input.offset ?? 0)
  let parts: Uint8Array[] = []
  let held = 0
  const send = async () => {
    const piece = Buffer.concat(parts)
    parts = []
    held = 0
    const told = operation.bulk ? Buffer.concat([...sparse(piece)]) : piece
    const answer = await ask(operation, isWhole ? input : { ...input, offset }, told)
    offset += piece.byteLength
    return answer
  }
  for await (const part of body) {
    if (isWhole && held + part.byteLength > largestObjectBytes - pieceBytes)
      throw failure('wire.too_large', { bytes: held + part.byteLength, limit: largestObjectBytes - pieceBytes })
    parts.push(part)
    held += part.byteLength
    if (!isWhole && held >= questionBytes) await send()
  }
  return operation.output.parse(await send())
}

/** One piece, carried out by the host; the answer is what the hub's side takes. */
export async function carryOutPiece(
  host: Caller,
  operation: Operation,
  { input, body, signal }: { input: unknown; body: Uint8Array; signal: AbortSignal },
): Promise<unknown> {
  switch (operation.kind) {
    case 'call':
      return await host.call(operation as CallOperation, input as never, { signal })
    case 'upload':
      return await host.upload(operation as UploadOperation, input as never, operation.bulk ? fromSparse([body]) : once(body), {
        signal,
      })
    case 'bytes': {
      const bytes = await collected(host.bytes(operation as BytesOperation, input as never, { signal }), mostBytes)
      return { base64: (operation.bulk ? Buffer.concat([...sparse(bytes)]) : bytes).toString('base64') }
    }
    case 'items': {
      const items: unknown[] = []
      for await (const item of host.items(operation as ItemsOperation, input as never, { signal })) {
        if (items.length === itemsInAnswer) return { items, more: true }
        items.push(item)
      }
      return { items, more: false }
    }
  }
}

/** Throws `wire.too_large`. */
async function collected(source: AsyncIterable<Uint8Array>, most: number): Promise<Buffer> {
  const parts: Uint8Array[] = []
  let bytes = 0
  for await (const part of source) {
    parts.push(part)
    bytes += part.byteLength
    if (bytes > most) throw failure('wire.too_large', { bytes, limit: most })
  }
  return Buffer.concat(parts)
}

async function* once(body: Uint8Array): AsyncGenerator<Uint8Array> {
  if (body.byteLength > 0) yield body
}
