// The carrier that is a function call: a Caller over an Implementation in this process.
// Same door, same cancelling and deadline rules as the wire, so that what works here works over a socket.

import type { Caller, CallOptions } from './caller.ts'
import { failure } from './errors.ts'
import { admit, type CallContext, type Implementation, type Principal } from './implementation.ts'
import type { Operation } from './operation.ts'

const nothing: AsyncIterable<Uint8Array> = { async *[Symbol.asyncIterator]() {} }

export function direct(offered: Implementation, principal: Principal): Caller {
  const open = (operation: Operation, input: unknown, options: CallOptions | undefined, body = nothing) => {
    const ending = new AbortController()
    const context: CallContext = {
      principal,
      signal: ending.signal,
      progress: options?.onProgress ?? (() => {}),
    }
    const release = endWith(ending, operation, options)
    const start = () => {
      ending.signal.throwIfAborted()
      const admitted = admit(offered, operation.name, input, principal)
      return admitted.bound.handle(admitted.input, context, body)
    }
    return { ending, release, start }
  }

  async function answer(operation: Operation, input: unknown, options?: CallOptions, body?: AsyncIterable<Uint8Array>) {
    const { ending, release, start } = open(operation, input, options, body)
    try {
      return await untilAborted(start() as Promise<unknown>, ending.signal)
    } finally {
      release()
    }
  }

  async function* stream(operation: Operation, input: unknown, options?: CallOptions) {
    const { ending, release, start } = open(operation, input, options)
    let iterator: AsyncIterator<unknown> | undefined
    try {
      iterator = (start() as AsyncIterable<unknown>)[Symbol.asyncIterator]()
      for (;;) {
        const next = await untilAborted(iterator.next(), ending.signal)
        release.started()
        if (next.done) return
        yield next.value
      }
    } finally {
      release()
      ending.abort(failure('call.cancelled'))
      // Not awaited: a source that is stuck in a read must not keep its reader, who has left and wants no failure of it either.
      iterator?.return?.()?.catch(() => {})
    }
  }

  return { call: answer, items: stream, bytes: stream, upload: (o, i, body, opts) => answer(o, i, opts, body) } as Caller
}

/** Aborts `ending` when the caller's signal does or the deadline passes; the returned function undoes both. */
function endWith(ending: AbortController, operation: Operation, options: CallOptions | undefined) {
  const { signal, timeoutMs } = options ?? {}
  const cancel = () => ending.abort(failure('call.cancelled'))
  const timer =
    timeoutMs === undefined
      ? undefined
      : setTimeout(() => ending.abort(failure('call.deadline', { operation: operation.name, ms: timeoutMs })), timeoutMs)
  if (signal?.aborted) cancel()
  signal?.addEventListener('abort', cancel, { once: true })
  const release = () => {
    clearTimeout(timer)
    signal?.removeEventListener('abort', cancel)
  }
  release.started = () => clearTimeout(timer)
  return release
}

function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const end = () => reject(signal.reason)
    if (signal.aborted) end()
    signal.addEventListener('abort', end, { once: true })
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', end))
  })
}
