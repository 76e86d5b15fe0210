// The fleet: the hosts this hub knows, each with its open connector. `local` is always there and always first.
// It knows names and links; what runs where is the queue's and the mirror's business.

import type { Connector } from '../connectors/port.ts'
import { failure } from '../contract/errors.ts'
import type { HostInfo, HostRow } from '../contract/host.ts'
import { localHost } from '../contract/names.ts'
import type { HostHealth } from '../store/health.ts'

export interface FleetHost {
  readonly id: string
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  /** The connector's kind, and how lists name the way to the host. */
  readonly kind: string
  readonly label: string
  readonly connector: Connector
}

export interface Fleet {
  /** `local` first, the rest by name. */
  all(): FleetHost[]
  byId(id: string): FleetHost | undefined
  /** By id, or by name without regard to case. Throws `host.unknown`. */
  find(ref: string): FleetHost
  add(host: FleetHost): void
  remove(id: string): void
}

export function createFleet(local: FleetHost): Fleet {
  const hosts = new Map<string, FleetHost>()
  return {
    all: () => [local, ...[...hosts.values()].sort((a, b) => (a.name < b.name ? -1 : 1))],
    byId: (id) => (id === local.id ? local : hosts.get(id)),
    find(ref) {
      const host = hosts.get(ref) ?? this.all().find((one) => sameName(one.name, ref))
      if (!host) throw failure('host.unknown', { host: ref })
      return host
    },
    add: (host) => void hosts.set(host.id, host),
    remove: (id) => void hosts.delete(id),
  }
}

export function isLocal(host: FleetHost): boolean {
  return host.id === localHost
}

export function sameName(one: string, other: string): boolean {
  return nameKey(one) === nameKey(other)
}

function nameKey(name: string): string {
  return name.normalize('NFC').toLocaleLowerCase('en')
}

/** A host as lists show it; `info` is what it says now, or else what it last said. */
export function hostRow(host: FleetHost, health: HostHealth | undefined, info?: HostInfo): HostRow {
  const { state } = host.connector
  return {
    id: host.id,
    name: host.name,
    label: host.label,
    connector: host.kind,
    labels: { ...host.labels },
    status: state.status,
    since: state.since,
    reason: state.status === 'offline' ? state.reason : null,
    lastSeenAt: state.status === 'online' ? new Date().toISOString() : (health?.lastSeenAt ?? null),
    info: info ?? health?.info ?? null,
  }
}
