// Raw bytes, whole or from a range on, as fast as the client reads and no faster.

import type { ServerResponse } from 'node:http'
import { failure } from '../contract/errors.ts'
import type { BytesOperation } from '../contract/operation.ts'
import { sparseType, toSparse } from '../contract/sparse.ts'
import type { Exchange } from './exchange.ts'
import { readRange } from './input.ts'
import { breakOff, openStream, write } from './stream.ts'

/** Headers wait this long for the first bytes, so that a refusal is a status; a reader can do nothing with headers alone. */
const refusalWaitMs = 5_000

export async function answerBytes(exchange: Exchange): Promise<void> {
  const { operation, input, caller, reply, request, signal } = exchange
  const { values, isEmpty } = await openStream(caller.bytes(operation as BytesOperation, input, { signal }), refusalWaitMs)
  const range = 'offset' in operation.input.shape ? readRange(request.headers.range) : {}
  if (isEmpty && range.offset) throw failure('http.range', { offset: range.offset })
  const isSparse = range.offset === undefined && request.headers.accept?.includes(sparseType)
  reply.hijack()
  const response: ServerResponse = reply.raw
  response.writeHead(range.offset === undefined || isEmpty ? 200 : 206, {
    'Content-Type': isSparse ? sparseType : 'application/octet-stream',
    ...('offset' in operation.input.shape && { 'Accept-Ranges': 'bytes' }),
    ...(range.offset !== undefined && !isEmpty && { 'Content-Range': contentRange(range.offset, range.limit) }),
  })
  response.flushHeaders()
  try {
    for await (const chunk of isSparse ? toSparse(values) : values) await write(response, chunk, signal)
    response.end()
  } catch (error) {
    // Broken off, never ended: a reader must not take half for the whole.
    breakOff(exchange, error)
  }
}

/** RFC 8673: where the end is not known yet, the last position is the very large value 2^53 - 1. */
function contentRange(offset: number, limit: number | undefined): string {
  return `bytes ${offset}-${limit === undefined ? Number.MAX_SAFE_INTEGER : offset + limit - 1}/*`
}
