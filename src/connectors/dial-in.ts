// The door for hosts that dial the hub: proves both keys, learns which host it is, and hands the channel to that host's connector.
// Who may be which host is the hub's decision, asked through the gate; this file knows no enrolment.

import type { X509Certificate } from 'node:crypto'
import type { Caller } from '../contract/caller.ts'
import { asMusterError, failure, hasCode, type MusterError } from '../contract/errors.ts'
import type { Principal } from '../contract/implementation.ts'
import type { Channel } from '../wire/channel.ts'
import { acceptHandshake, type Dialer, type TakeTurn } from '../wire/handshake.ts'
import type { Identity } from '../wire/identity.ts'
import { createPeer } from '../wire/peer.ts'
import type { Connector } from './port.ts'

export interface DialInGate {
  /** Which host a proven key (and a credential, the first time) belongs to. Throws `node.unknown`, `enroll.…`. */
  admit(node: { key: string; credential: string | undefined; address: string }): Promise<{ id: string; name: string }>
  /**
   * Takes a proven key's host out of the fleet, as its own machine wishes, once `judge` has let it. Throws `node.unknown`,
   * `node.token_replaced`, and what `judge` does.
   */
  leave(key: string, judge: (host: { id: string; name: string }) => Promise<unknown>): Promise<void>
  /** Told of one that is not let in, before it hears so. Never rejects. */
  refused(error: MusterError, dialer: { address: string; key: string | null; host: string | null }): Promise<void>
  connectorOf(host: string): Connector | undefined
  /** Where TLS ends at this hub. */
  readonly certificates?: HostCertificates | undefined
}

/** `binding`: what this end of the host's TLS connection exports. */
export interface HostCertificates {
  /** Whether what that host shows counts. Throws `node.certificate_missing`, `node.certificate_refused`. */
  admit(host: { id: string; name: string }, shown: X509Certificate | undefined): Promise<{ renewalOnly: boolean }>
  /** Over a connection that may serve for nothing else. */
  renew(host: string, caller: Caller, binding: string | undefined): Promise<void>
  /** Its link is up. Never rejects. */
  joined(host: string, binding: string | undefined): Promise<void>
}

/** What a node says that it is when it dials to leave for good. */
export const leaverRole = 'leaver'

const handshakeTimeoutMs = 10_000

export interface Remote {
  readonly address: string
  /** For what its handshake costs the hub. */
  readonly takeTurn?: TakeTurn
  /** Where TLS ends at this hub: the certificate that was shown, whose key TLS has proven. Whether it counts is not known yet. */
  readonly tls?: { readonly certificate: X509Certificate | undefined }
}

/** To a node that may be this host again in a while, and so dials again: `node.unknown` would end it for good. */
export function unusableNow() {
  return failure('wire.closed', { reason: 'the record of this host cannot be used at the hub now' })
}

/** Carries out one handshake; resolves once the channel is in its connector's hands, rejects (channel closed) if it is refused. */
export async function acceptDialIn(
  channel: Channel,
  { address, takeTurn, tls }: Remote,
  hub: { identity: Identity; version: string; gate: DialInGate },
): Promise<void> {
  let left = false
  const { certificates } = hub.gate
  let renewalOnly = false
  async function admit({ key, credential, role }: Dialer) {
    let meant: string | undefined
    const judge = async (host: { id: string; name: string }) => {
      meant = host.id
      if (tls && certificates) ({ renewalOnly } = await certificates.admit(host, tls.certificate))
    }
    try {
      if (role === leaverRole) {
        // Whoever could not be this host cannot end it either.
        await hub.gate.leave(key, judge)
        left = true
        return { welcome: { left }, principal: nodePrincipal(key) }
      }
      const host = await hub.gate.admit({ key, credential, address })
      await judge(host)
      return { welcome: { host }, principal: nodePrincipal(host.id) }
    } catch (error) {
      await hub.gate.refused(asMusterError(error), { address, key, host: meant ?? null })
      throw error
    }
  }
  const { principal, limits } = await acceptHandshake(channel, {
    identity: hub.identity,
    role: 'hub',
    software: hub.version,
    timeoutMs: handshakeTimeoutMs,
    ...(takeTurn && { takeTurn }),
    admit,
  }).catch(async (error: unknown) => {
    // Who proves no key is not even asked who he is.
    if (hasCode(error, 'wire.proof')) await hub.gate.refused(error, { address, key: null, host: null })
    throw error
  })
  if (left) return channel.close(failure('wire.closed', { reason: 'the host has left' }))
  if (renewalOnly) {
    await using peer = createPeer(channel, { offers: new Map(), principal, limits, name: `renewal ${principal.id}` })
    await certificates?.renew(principal.id, peer, channel.tlsBinding)
    return peer.close(failure('wire.closed', { reason: 'the node was given a fresh certificate, and has to dial again with it' }))
  }
  const attach = hub.gate.connectorOf(principal.id)?.attach
  if (!attach) return channel.close(unusableNow())
  attach(channel, principal, limits)
  if (tls) void certificates?.joined(principal.id, channel.tlsBinding)
}

/** A node may ask its hub for nothing. */
function nodePrincipal(host: string): Principal {
  return { kind: 'node', id: host, role: 'node', scopes: new Set() }
}
