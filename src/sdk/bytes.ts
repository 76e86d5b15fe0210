// A byte stream. Where the operation takes an offset, a broken read goes on at the byte where it stopped.

import type { Deadline } from '../contract/deadline.ts'
import type { BytesOperation } from '../contract/operation.ts'
import { fromSparse, sparseType } from '../contract/sparse.ts'
import { transportFailure } from './broken.ts'
import { type Reading, requestOf } from './request.ts'
import { resumed } from './resume.ts'
import type { Transport } from './transport.ts'

export function readBytes(
  transport: Transport,
  operation: BytesOperation,
  { input, asked, policy }: Reading,
  { signal, met }: Deadline,
): AsyncIterable<Uint8Array> {
  let received = 0
  const isResumable = 'offset' in operation.input.shape

  async function* read(connected: () => void): AsyncGenerator<Uint8Array> {
    const rest = received === 0 ? input : restOf(input, received)
    if (rest === undefined) return
    const request = requestOf(operation, rest, asked)
    const accept = operation.bulk ? { Accept: `${sparseType}, */*` } : {}
    const response = await transport.send({ ...request, headers: { ...request.headers, ...accept } }, signal)
    connected()
    met()
    try {
      for await (const chunk of response.headers['content-type'] === sparseType ? fromSparse(response) : response) {
        received += chunk.length
        yield chunk
      }
    } catch (error) {
      signal.throwIfAborted()
      throw transportFailure(error, '')
    } finally {
      response.destroy()
    }
  }

  // Without an offset what was read cannot be told from what was not: its reader resumes by its own numbering.
  return isResumable ? resumed(read, signal, policy) : read(() => {})
}

/** What is left to ask for after so many bytes; undefined when it was all. */
function restOf(input: Readonly<Record<string, unknown>>, received: number): Record<string, unknown> | undefined {
  const { limit } = input
  if (limit !== undefined && Number(limit) <= received) return undefined
  return {
    ...input,
    offset: Number(input.offset ?? 0) + received,
    ...(limit !== undefined && { limit: Number(limit) - received }),
  }
}
