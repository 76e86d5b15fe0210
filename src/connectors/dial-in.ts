// The door for hosts that dial the hub: proves both keys, learns which host it is, and hands the channel to that host's connector.
// Who may be which host is the hub's decision, asked through the gate; this file knows no enrolment.

import { failure } from '../contract/errors.ts'
import type { Principal } from '../contract/implementation.ts'
import type { Channel } from '../wire/channel.ts'
import { acceptHandshake, type TakeTurn } from '../wire/handshake.ts'
import type { Identity } from '../wire/identity.ts'
import type { Connector } from './port.ts'

export interface DialInGate {
  /** Which host a proven key (and a credential, the first time) belongs to. Throws `node.unknown`, `enroll.…`. */
  admit(node: { key: string; credential: string | undefined; address: string }): Promise<{ id: string; name: string }>
  /** Takes a proven key's host out of the fleet, as its own machine wishes. Throws `node.unknown`. */
  leave(key: string): Promise<void>
  connectorOf(host: string): Connector | undefined
}

/** What a node says that it is when it dials to leave for good. */
export const leaverRole = 'leaver'

const handshakeTimeoutMs = 10_000

export interface Remote {
  readonly address: string
  /** For what its handshake costs the hub. */
  readonly takeTurn?: TakeTurn
}

/** To a node that may be this host again in a while, and so dials again: `node.unknown` would end it for good. */
export function unusableNow() {
  return failure('wire.closed', { reason: 'the record of this host cannot be used at the hub now' })
}

/** Carries out one handshake; resolves once the channel is in its connector's hands, rejects (channel closed) if it is refused. */
export async function acceptDialIn(
  channel: Channel,
  { address, takeTurn }: Remote,
  hub: { identity: Identity; version: string; gate: DialInGate },
): Promise<void> {
  let left = false
  const { principal, limits } = await acceptHandshake(channel, {
    identity: hub.identity,
    role: 'hub',
    software: hub.version,
    timeoutMs: handshakeTimeoutMs,
    ...(takeTurn && { takeTurn }),
    admit: async ({ key, credential, role }) => {
      if (role === leaverRole) {
        await hub.gate.leave(key)
        left = true
        return { welcome: { left }, principal: nodePrincipal(key) }
      }
      const host = await hub.gate.admit({ key, credential, address })
      return { welcome: { host }, principal: nodePrincipal(host.id) }
    },
  })
  if (left) return channel.close(failure('wire.closed', { reason: 'the host has left' }))
  const attach = hub.gate.connectorOf(principal.id)?.attach
  if (!attach) return channel.close(unusableNow())
  attach(channel, principal, limits)
}

/** A node may ask its hub for nothing. */
function nodePrincipal(host: string): Principal {
  return { kind: 'node', id: host, role: 'node', scopes: new Set() }
}
