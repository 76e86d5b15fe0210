// The carrier that is a function call: a Caller over an Implementation in this process.
// Same door, same cancelling and deadline rules as the wire, so that what works here works over a socket.

import type { Caller, CallOptions } from './caller.ts'
import { type Deadline, deadlineOf } from './deadline.ts'
import { failure } from './errors.ts'
import { admit, type CallContext, type Implementation, type Principal } from './implementation.ts'
import type { Operation } from './operation.ts'

const nothing: AsyncIterable<Uint8Array> = { async *[Symbol.asyncIterator]() {} }

export function direct(offered: Implementation, principal: Principal): Caller {
  function begin(
    operation: Operation,
    input: unknown,
    { signal }: Deadline,
    { onProgress }: CallOptions = {},
    body = nothing,
  ): Promise<unknown> | AsyncIterable<unknown> {
    signal.throwIfAborted()
    const admitted = admit(offered, operation.name, input, principal)
    const context: CallContext = { principal, signal, progress: onProgress ?? (() => {}) }
    return admitted.bound.handle(admitted.input, context, body)
  }

  async function answer(operation: Operation, input: unknown, options?: CallOptions, body?: AsyncIterable<Uint8Array>) {
    using deadline = deadlineOf(operation, options)
    return await untilAborted(begin(operation, input, deadline, options, body) as Promise<unknown>, deadline.signal)
  }

  async function* stream(operation: Operation, input: unknown, options?: CallOptions) {
    using deadline = deadlineOf(operation, options)
    let iterator: AsyncIterator<unknown> | undefined
    try {
      iterator = (begin(operation, input, deadline, options) as AsyncIterable<unknown>)[Symbol.asyncIterator]()
      for (;;) {
        const next = await untilAborted(iterator.next(), deadline.signal)
        deadline.met()
        if (next.done) return
        yield next.value
      }
    } finally {
      deadline.abort(failure('call.cancelled'))
      // Not awaited: a source that is stuck in a read must not keep its reader, who has left and wants no failure of it either.
      iterator?.return?.()?.catch(() => {})
    }
  }

  return { call: answer, items: stream, bytes: stream, upload: (o, i, body, opts) => answer(o, i, opts, body) } as Caller
}

function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const end = () => reject(signal.reason)
    if (signal.aborted) end()
    signal.addEventListener('abort', end, { once: true })
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', end))
  })
}
