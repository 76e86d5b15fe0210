// Which requests of older clients are under way, so that such a client's word that it has cancelled one finds it: it comes by a request of its
// own. The session's id is made up for each of these clients and kept nowhere. It parts clients that have the same token, and opens nothing.

import { randomUUID } from 'node:crypto'
import { failure } from '../contract/errors.ts'

export const sessionHeader = 'mcp-session-id'

export interface InFlight {
  /** A signal that aborts with the request's own, which aborts at its end, or when its client says that it has cancelled it. */
  enter(owner: string, session: string, id: string | number, signal: AbortSignal): AbortSignal
  cancel(owner: string, session: string, id: string | number): void
}

export function newSession(): string {
  return randomUUID()
}

export function requestsInFlight(): InFlight {
  const flying = new Map<string, AbortController>()
  const keyOf = (owner: string, session: string, id: string | number) => JSON.stringify([owner, session, id])
  return {
    enter(owner, session, id, signal) {
      const key = keyOf(owner, session, id)
      const ending = new AbortController()
      flying.set(key, ending)
      const over = () => {
        if (flying.get(key) === ending) flying.delete(key)
      }
      signal.addEventListener('abort', over, { once: true })
      if (signal.aborted) over()
      return AbortSignal.any([signal, ending.signal])
    },
    cancel: (owner, session, id) => flying.get(keyOf(owner, session, id))?.abort(failure('call.cancelled')),
  }
}
