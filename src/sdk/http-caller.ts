// A Caller whose carrier is HTTP: each kind of operation in its form (docs/api.md).

import type { ClientRequest } from 'node:http'
import type { Caller, CallOptions } from '../contract/caller.ts'
import { deadlineOf } from '../contract/deadline.ts'
import type { BytesOperation, CallOperation, ItemsOperation, UploadOperation } from '../contract/operation.ts'
import { sparseType, toSparse } from '../contract/sparse.ts'
import { readBytes } from './bytes.ts'
import { parseOutput } from './output.ts'
import { type Asked, requestOf } from './request.ts'
import { parseJson, readText } from './response.ts'
import type { ResumePolicy } from './resume.ts'
import type { Transport } from './transport.ts'

export function httpCaller(transport: Transport, asked: Asked, policy: ResumePolicy): Caller {
  async function call(operation: CallOperation, input: Record<string, unknown>, options?: CallOptions): Promise<unknown> {
    using deadline = deadlineOf(operation, options)
    const request = requestOf(operation, input, asked)
    if (operation.reports && options?.onProgress) {
      // Loaded when something is told: most commands only ask.
      const { readAnswer } = await import('./progress.ts')
      return parseOutput(
        operation,
        await untilAborted(readAnswer(transport, request, options.onProgress, deadline.signal), deadline.signal),
      )
    }
    const response = await transport.send(request, deadline.signal)
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
    const headers = { ...request.headers, 'Content-Type': operation.bulk ? sparseType : 'application/octet-stream' }
    const told = operation.bulk ? toSparse(body) : body
    const response = await transport.send({ ...request, headers }, deadline.signal, (sending) => pour(told, sending))
    return parseOutput(operation, parseJson(await untilAborted(readText(response), deadline.signal)))
  }

  async function* items(operation: ItemsOperation, input: Record<string, unknown>, options?: CallOptions) {
    using deadline = deadlineOf(operation, options)
    // Loaded when something is read: most commands only ask.
    const { readItems } = await import('./items.ts')
    yield* readItems(transport, operation, { input, asked, policy }, deadline)
  }

  async function* bytes(operation: BytesOperation, input: Record<string, unknown>, options?: CallOptions) {
    using deadline = deadlineOf(operation, options)
    yield* readBytes(transport, operation, { input, asked, policy }, deadline)
  }

  return { call, upload, items, bytes } as Caller
}

/** Sends the body as fast as the hub takes it; stops where the request ends or its answer comes, whatever the body is waiting for. */
async function pour(body: AsyncIterable<Uint8Array>, sending: ClientRequest): Promise<void> {
  const over = new AbortController()
  for (const end of ['close', 'response']) sending.once(end, () => over.abort())
  const chunks = body[Symbol.asyncIterator]()
  try {
    for (;;) {
      const next = await unlessAborted(chunks.next(), over.signal)
      if (!next) return
      if (next.done) return void sending.end()
      if (!sending.write(next.value)) await unlessAborted(drained(sending), over.signal)
    }
  } finally {
    // Not awaited, since it may be stuck in a read that nobody wants any more.
    chunks.return?.()?.catch(() => {})
  }
}

function drained(sending: ClientRequest): Promise<true> {
  return new Promise((resolve) => sending.once('drain', () => resolve(true)))
}

/** Undefined once it is aborted: why the request ended, if it did, is told by the request itself. */
function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    const end = () => resolve(undefined)
    if (signal.aborted) end()
    signal.addEventListener('abort', end, { once: true })
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', end))
  })
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
