// What the streaming answers share: waiting a moment for a refusal, and writing no faster than the client reads.

import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import type { Exchange } from './exchange.ts'

export interface Opened<T> {
  readonly values: AsyncIterable<T>
  /** It ended within the wait, before its first value. */
  readonly isEmpty: boolean
}

/**
 * Starts a stream and waits up to `waitMs` for its first value: a refusal that comes in that time is thrown,
 * and can still be said with an HTTP status. `values` must then be read or its source's signal aborted.
 */
export async function openStream<T>(source: AsyncIterable<T>, waitMs: number): Promise<Opened<T>> {
  const iterator = source[Symbol.asyncIterator]()
  const first = iterator.next()
  const { promise: waited, resolve } = Promise.withResolvers<undefined>()
  const timer = setTimeout(resolve, waitMs, undefined)
  try {
    const result = await Promise.race([first, waited])
    return { values: withFirst(first, iterator), isEmpty: result?.done === true }
  } finally {
    clearTimeout(timer)
  }
}

/** Written by hand and not as a generator, which would keep the first value for as long as the stream lasts. */
function withFirst<T>(first: Promise<IteratorResult<T>>, iterator: AsyncIterator<T>): AsyncIterable<T> {
  let begun: Promise<IteratorResult<T>> | undefined = first
  const reader: AsyncIterator<T> = {
    next() {
      const next = begun ?? iterator.next()
      begun = undefined
      return next
    },
    return: async () => (await iterator.return?.()) ?? { done: true, value: undefined },
  }
  return { [Symbol.asyncIterator]: () => reader }
}

/** Writes and, where the client is behind, waits for it: never more than one chunk is held for a slow reader. */
export async function write(response: ServerResponse, chunk: string | Uint8Array, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted()
  if (!response.write(chunk)) await once(response, 'drain', { signal })
}

/** Ends a stream so that its reader sees that it is not whole. What was not the reader's own leaving is logged. */
export function breakOff({ signal, explain, reply }: Exchange, error: unknown): void {
  if (!signal.aborted) explain(error)
  reply.raw.destroy()
}
