// A Caller whose carrier is HTTP: each kind of operation in its form (docs/api.md).

import { once } from 'node:events'
import type { ClientRequest } from 'node:http'
import type { Caller, CallOptions } from '../contract/caller.ts'
import { deadlineOf } from '../contract/deadline.ts'
import type { BytesOperation, CallOperation, ItemsOperation, UploadOperation } from '../contract/operation.ts'
import { readBytes } from './bytes.ts'
import { parseOutput } from './output.ts'
import { type Asked, requestOf } from './request.ts'
import { parseJson, readText } from './response.ts'
import type { Transport } from './transport.ts'

export function httpCaller(transport: Transport, asked: Asked): Caller {
  async function call(operation: CallOperation, input: Record<string, unknown>, options?: CallOptions): Promise<unknown> {
    using deadline = deadlineOf(operation, options)
    const response = await transport.send(requestOf(operation, input, asked), deadline.signal)
    return parseOutput(operation, parseJson(await untilAborted(readText(response), deadline.signal)))
  }

  async function upload(
    operation: UploadOperation,
    input: Record<string, unknown>,
    body: AsyncIterable<Uint8Array>,
    options?: CallOptions,
  ): Promise<unknown> {
    using deadline = deadlineOf(operation, options)
    const request = requestOf(operation, input, asked)
    const headers = { ...request.headers, 'Content-Type': 'application/octet-stream' }
    const response = await transport.send({ ...request, headers }, deadline.signal, (sending) => pour(body, sending))
    return parseOutput(operation, parseJson(await untilAborted(readText(response), deadline.signal)))
  }

  async function* items(operation: ItemsOperation, input: Record<string, unknown>, options?: CallOptions) {
    using deadline = deadlineOf(operation, options)
    // Loaded when something is read: most commands only ask.
    const { readItems } = await import('./items.ts')
    yield* readItems(transport, operation, input, asked, deadline)
  }

  async function* bytes(operation: BytesOperation, input: Record<string, unknown>, options?: CallOptions) {
    using deadline = deadlineOf(operation, options)
    yield* readBytes(transport, operation, input, asked, deadline)
  }

  return { call, upload, items, bytes } as Caller
}

/** Sends the body as fast as the hub takes it; stops where the request ends early, for then the answer is already there. */
async function pour(body: AsyncIterable<Uint8Array>, sending: ClientRequest): Promise<void> {
  const ended = new AbortController()
  sending.once('close', () => ended.abort())
  for await (const chunk of body) {
    if (sending.destroyed) return
    // Why it ended, if it did, is told by the request itself.
    if (!sending.write(chunk)) await once(sending, 'drain', { signal: ended.signal }).catch(() => undefined)
  }
  sending.end()
}

/** A response that its deadline cut short says so, not that it broke. */
async function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  try {
    return await work
  } catch (error) {
    signal.throwIfAborted()
    throw error
  }
}
