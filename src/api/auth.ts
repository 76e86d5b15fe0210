// Who asks, decided by the connection: the local socket is its owner, an operator; over TCP a bearer token says it.
// No header but Authorization has a part in it.

import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { failure } from '../contract/errors.ts'
import type { Principal } from '../contract/implementation.ts'
import { localOperator } from '../contract/token.ts'
import type { HubPort } from './port.ts'

export interface Auth {
  /** Marks a connection that the local socket accepted. */
  trust(socket: Socket): void
  isLocal(socket: Socket): boolean
  /** Rejects with `auth.required`, `auth.invalid` or `auth.expired`. */
  principalOf(request: IncomingMessage): Promise<Principal>
}

export function authOf(hub: Pick<HubPort, 'authenticate'>): Auth {
  const local = new WeakSet<Socket>()
  return {
    trust: (socket) => void local.add(socket),
    isLocal: (socket) => local.has(socket),
    async principalOf({ socket, headers }) {
      if (local.has(socket)) return localOperator
      const token = /^Bearer +(\S+) *$/i.exec(headers.authorization ?? '')?.[1]
      if (token === undefined) throw failure('auth.required')
      const principal = await hub.authenticate(token)
      if (!principal) throw failure('auth.invalid')
      return principal
    },
  }
}
