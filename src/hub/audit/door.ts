// The hub's audit: everything that its API asks of the hub, or of a host through it, passes here and is recorded. What the hub asks
// by itself, to carry out what was let in, is not asked again.

import type { Logger } from 'pino'
import { type AuditDoor, type AuditSink, actorOf, audited, plain } from '../../contract/audited.ts'
import type { MusterError } from '../../contract/errors.ts'
import type { Implementation, Principal } from '../../contract/implementation.ts'
import { openAudit } from '../../store/open-audit.ts'
import type { Store } from '../../store/store.ts'
import type { Fleet, FleetHost } from '../fleet.ts'
import { askedFor } from '../trust.ts'

/** A request that was turned away before it came to an operation. */
export interface RefusedRequest {
  /** Null for one that could not say who it is. */
  readonly principal: Principal | null
  readonly address: string
  /** The operation that its path names, and the host or the approval. */
  readonly operation: string | undefined
  readonly host: string | undefined
  readonly approval?: string | undefined
}

/** A machine that dialled and was not let in. */
export interface RefusedDialer {
  readonly address: string
  /** As a node, or to ask to be let in. */
  readonly what: 'tunnel.dial' | 'pairing.ask'
  /** The fingerprint of the key that it has proven, or what it calls itself. */
  readonly subject: string | null
  /** The host whose key it has. */
  readonly host: string | null
}

/** By what an entry names its host. */
interface Known {
  readonly fleet: Fleet
  /** The host that has asked, or null where there is no such approval. */
  readonly hostOf: (approval: string) => Promise<string | null>
}

export interface HubAudit extends AsyncDisposable {
  /** For what is decided elsewhere than at this door. */
  readonly sink: AuditSink
  ofHub(offers: Implementation, known: Known): Implementation
  ofHost(host: FleetHost, offers: Implementation): Implementation
  /** Records a refusal that has no entry yet. */
  refused(error: MusterError, request: RefusedRequest, known: Known): Promise<void>
  /** Never rejects. */
  refusedDialer(error: MusterError, dialer: RefusedDialer): Promise<void>
}

export async function openHubAudit(store: Store, log: Logger): Promise<HubAudit> {
  const audit = await openAudit(store, log, 'the hub')
  const { sink, refused } = audit
  const ofHosts = new WeakMap<FleetHost, Implementation>()
  const through = (offers: Implementation, hostOf: AuditDoor['hostOf']) =>
    audited(offers, { sink, refused, meant: (operation, input) => askedFor(operation, input).operation, hostOf })

  return {
    sink,
    ofHub: (offers, known) => through(offers, (fields) => hostIn(fields, known)),
    ofHost(host, offers) {
      const known = ofHosts.get(host) ?? through(offers, () => host.id)
      ofHosts.set(host, known)
      return known
    },
    refused: (error, { principal, address, operation = 'api.request', host, approval }, known) =>
      refused(error, async () => ({
        actor: principal ? actorOf(principal) : { kind: 'stranger', id: address, role: 'none' },
        action: operation,
        // Nothing is looked up for strangers.
        host: principal ? await hostIn({ host, approval }, known) : idOf(known.fleet, host),
        subject: plain(approval),
        decision: 'denied',
      })),
    // Known by its address whatever it has proven: a key is made in no time, and a flood must not be many sources.
    refusedDialer: (error, { address, what, subject, host }) =>
      refused(error, () => ({
        actor: { kind: 'stranger', id: address, role: 'none' },
        action: what,
        host,
        subject: plain(subject),
        decision: 'denied',
      })),
    [Symbol.asyncDispose]: () => audit[Symbol.asyncDispose](),
  }
}

function hostIn({ host, approval }: { host?: unknown; approval?: unknown }, { fleet, hostOf }: Known) {
  return host === undefined && typeof approval === 'string' ? hostOf(approval) : idOf(fleet, host)
}

/** As the hub knows it, by whatever name it is asked for; what is no host of its stays as it was said. */
export function idOf(fleet: Fleet, ref: unknown): string | null {
  const host = typeof ref === 'string' ? (fleet.byId(ref) ?? fleet.named(ref)) : undefined
  return host?.id ?? plain(ref)
}
