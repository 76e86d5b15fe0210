// One request on its way through the API: who asks, what, and the signal that ends it.
// Answers (call.ts, items.ts, bytes.ts, upload.ts) take it and know neither routing nor tokens.

import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Caller } from '../contract/caller.ts'
import { failure, type MusterError } from '../contract/errors.ts'
import type { Operation } from '../contract/operation.ts'

export interface Exchange {
  readonly operation: Operation
  readonly input: Record<string, unknown>
  /** The hub or host that is asked, with this request's principal. */
  readonly caller: Caller
  readonly request: FastifyRequest
  readonly reply: FastifyReply
  /** Aborted when the client goes away or the API closes. */
  readonly signal: AbortSignal
  /** Any thrown thing in the catalogue's words; what is not in it is logged, not told. */
  readonly explain: (thrown: unknown) => MusterError
}

export interface InFlight {
  /**
   * Counts a request in; its controller aborts when its client goes away and, of a stream and of a call that tells of its progress, when
   * what lets the client in has ended.
   */
  enter(reply: FastifyReply, operation: Pick<Operation, 'kind'> & { reports?: unknown }, ended?: AbortSignal): AbortController
  /** Ends streams, which would otherwise go on; calls are left to finish. */
  endStreams(reason: MusterError): void
  endAll(reason: MusterError): void
}

export function inFlight(): InFlight {
  const live = new Map<AbortController, Operation['kind']>()
  const end = (reason: MusterError, kinds: readonly Operation['kind'][]) => {
    for (const [ending, kind] of live) if (kinds.includes(kind)) ending.abort(reason)
  }
  return {
    enter(reply, { kind, reports }, ended) {
      const ending = new AbortController()
      // It may have gone while it was found out who it is; then no `close` comes any more.
      if (reply.raw.destroyed) {
        ending.abort(failure('call.cancelled'))
        return ending
      }
      live.set(ending, kind)
      reply.raw.once('close', () => {
        live.delete(ending)
        ending.abort(failure('call.cancelled'))
      })
      // A short call is left to finish: it was let in, and its answer is on its way.
      if (kind !== 'call' || reports !== undefined)
        ended?.addEventListener('abort', () => ending.abort(ended.reason), { signal: ending.signal })
      return ending
    },
    endStreams: (reason) => end(reason, ['items', 'bytes']),
    endAll: (reason) => end(reason, ['call', 'upload', 'items', 'bytes']),
  }
}
