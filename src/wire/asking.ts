// The asking side of a peer: sends requests and keeps those that wait for their answer. Each ends exactly once: answered, cancelled,
// at its deadline, or with the connection. What an answer means to its caller is remote-caller.ts.

import type { CallOptions } from '../contract/caller.ts'
import { asMusterError, failure, type MusterError } from '../contract/errors.ts'
import type { Operation } from '../contract/operation.ts'
import type { StreamFrame } from './frame.ts'
import type { Limits } from './limits.ts'
import { encodeCancel, encodeRequest, tooLarge } from './messages.ts'
import type { Outbox } from './outbox.ts'
import { pendingTable } from './pending.ts'

export interface Asking {
  /**
   * Sends a request. Throws `wire.closed`, `wire.overloaded`, `wire.too_large`, `call.cancelled`; what comes later goes to `reception`,
   * which is told exactly once how the call ended.
   */
  readonly open: OpenRequest
  readonly pendingCalls: number
  /** An answer came; one that nobody waits for is ignored. */
  answer(id: number, answer: Answer): void
  progress(id: number, value: unknown): void
  /** A frame of a stream came from the callee. Throws `wire.protocol`. */
  frame(frame: StreamFrame): void
  /** Ends every call with this error, at once, and each later one. */
  end(error: MusterError): void
}

export type Answer = { readonly result: unknown } | { readonly error: MusterError }

interface PendingCall {
  readonly settle: (answer: Answer) => void
  readonly progress: (value: unknown) => void
  readonly frame: (frame: StreamFrame) => void
}

/** What a caller does with what comes back: different for each kind of operation. */
export interface Reception {
  readonly settled: (answer: Answer) => void
  readonly frame: (frame: StreamFrame) => void
}

export interface OpenCall {
  readonly id: number
  /** Ends the call here with this error and tells the other side to stop; nothing if it has ended. */
  cancel(error: MusterError): void
}

export type OpenRequest = (
  operation: Operation,
  input: unknown,
  options: CallOptions | undefined,
  reception: Reception,
) => OpenCall

/** setTimeout takes no more; a deadline beyond is none. */
const maxTimeoutMs = 0x7fff_ffff

export function createAsking({ outbox, limits }: { outbox: Outbox; limits: Limits }): Asking {
  const pending = pendingTable<PendingCall>()
  let ended: MusterError | undefined

  function open(operation: Operation, input: unknown, options: CallOptions | undefined, reception: Reception): OpenCall {
    const { signal, timeoutMs, onProgress } = options ?? {}
    if (ended) throw ended
    if (signal?.aborted) throw failure('call.cancelled')
    if (pending.size >= limits.maxPending) throw failure('wire.overloaded', { pending: pending.size })
    let sent = false
    let timer: NodeJS.Timeout | undefined

    const call: PendingCall = {
      settle(answer) {
        clearTimeout(timer)
        signal?.removeEventListener('abort', abort)
        reception.settled(answer)
      },
      progress(value) {
        try {
          onProgress?.(value)
        } catch (error) {
          cancel(asMusterError(error))
        }
      },
      frame(frame) {
        if (operation.kind !== 'upload') clearTimeout(timer)
        reception.frame(frame)
      },
    }
    const id = pending.add(call)

    function cancel(error: MusterError): void {
      if (pending.get(id) !== call) return
      pending.take(id)
      call.settle({ error })
      if (sent) outbox.send(encodeCancel(id))
    }
    const abort = () => cancel(failure('call.cancelled'))

    try {
      const text = encodeRequest(id, operation.name, timeoutMs === undefined ? { input } : { input, timeoutMs })
      const problem = tooLarge(text, limits)
      if (problem) throw problem
      signal?.addEventListener('abort', abort, { once: true })
      if (timeoutMs !== undefined && timeoutMs <= maxTimeoutMs) {
        timer = setTimeout(() => cancel(failure('call.deadline', { operation: operation.name, ms: timeoutMs })), timeoutMs)
      }
      void outbox.post('message', () => {
        if (pending.get(id) !== call) return undefined
        sent = true
        return text
      })
    } catch (error) {
      pending.take(id)
      throw asMusterError(error)
    }
    return { id, cancel }
  }

  return {
    open,
    get pendingCalls() {
      return pending.size
    },
    answer: (id, answer) => pending.take(id)?.settle(answer),
    progress: (id, value) => pending.get(id)?.progress(value),
    frame: (frame) => pending.get(frame.id)?.frame(frame),
    end(error) {
      ended ??= error
      for (const call of pending.takeAll()) call.settle({ error })
    },
  }
}
