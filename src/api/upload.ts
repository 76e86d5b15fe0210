// A byte stream from the client, of any length, then one answer as JSON.

import type { IncomingMessage } from 'node:http'
import { failure } from '../contract/errors.ts'
import type { UploadOperation } from '../contract/operation.ts'
import { fromSparse, sparseType } from '../contract/sparse.ts'
import type { Exchange } from './exchange.ts'

export async function answerUpload({ operation, input, caller, request, reply, signal }: Exchange): Promise<unknown> {
  const body = bodyOf(request.raw)
  const isSparse = request.headers['content-type'] === sparseType
  const output = await caller.upload(operation as UploadOperation, input, isSparse ? fromSparse(body) : body, { signal })
  return reply.type('application/json').send(JSON.stringify(output ?? null))
}

/** Leaving it early must not destroy the request: its socket still carries the answer. */
async function* bodyOf(request: IncomingMessage): AsyncGenerator<Uint8Array> {
  try {
    yield* request.iterator({ destroyOnReturn: false })
  } catch {
    throw failure('call.cancelled')
  }
}
