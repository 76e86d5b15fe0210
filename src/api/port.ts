// What the API needs of a hub: all that it knows of one. The real hub fits it, and so does a test's.

import type { X509Certificate } from 'node:crypto'
import type { Answer, FleetApproval } from '../contract/approval.ts'
import type { MusterError } from '../contract/errors.ts'
import type { Implementation, Principal } from '../contract/implementation.ts'
import type { Channel } from '../wire/channel.ts'
import type { TakeTurn } from '../wire/handshake.ts'

export interface HubPort {
  /** Fingerprint of its key: what other hubs know it by. */
  readonly id: string
  /** What a hub is asked itself: hubOperations. */
  readonly offers: Implementation
  /** What one of its hosts can be asked, by name or id: hostOperations. Rejects with `host.unknown`. */
  host(ref: string): Promise<Implementation>
  /** Whose token this is; undefined when it is nobody's. Rejects with `auth.expired`. */
  authenticate(token: string): Promise<Principal | undefined>
  /** What a web link that answers an approval shows, and its one answer. Both reject for a link that is not good. */
  readonly approvalLinks: {
    look(token: string): Promise<FleetApproval>
    answer(token: string, given: { outcome: Answer; reason?: string }): Promise<FleetApproval>
  }
  /**
   * Told of every request that is turned away (401, 403), before it is answered: for the audit log. `principal`: null for one that could
   * not say who it is.
   */
  refused(
    error: MusterError,
    request: {
      readonly principal: Principal | null
      readonly address: string
      readonly operation: string | undefined
      readonly host: string | undefined
      readonly approval?: string | undefined
    },
  ): Promise<void>
  /** Takes a WebSocket that a node has dialled. A promise ends with the handshake; what that costs the hub is done in turns. */
  acceptTunnel(
    channel: Channel,
    remote: { address: string; takeTurn: TakeTurn; tls?: { certificate: X509Certificate | undefined } },
  ): void | Promise<void>
  /** The same for a WebSocket that a machine has dialled to be let in; ends when that is over. */
  acceptPairing(channel: Channel, remote: { address: string; takeTurn: TakeTurn }): void | Promise<void>
  /** Rejects while the hub cannot do its work. */
  checkReady(): Promise<void>
  /** The hub's figures as Prometheus text. */
  metrics(): Promise<string>
}
