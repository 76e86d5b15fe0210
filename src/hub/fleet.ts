// The fleet: the hosts this hub knows, each with its open connector. `local` is always there and always first.
// It knows names and links; what runs where is the queue's and the mirror's business.

import type { Connector } from '../connectors/port.ts'
import { failure } from '../contract/errors.ts'
import type { HostRow, Probe } from '../contract/host.ts'
import { localHost, nameKey } from '../contract/names.ts'
import type { HostHealth } from '../store/health.ts'
import { versionSkew } from './version-skew.ts'

/** One object for as long as the host is in the fleet: what changes of it changes in place, so that whoever holds it sees it. */
export interface FleetHost {
  readonly id: string
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  /** What this hub may begin there, as patterns of commands. */
  readonly trust: readonly string[]
  /** The connector's kind, and how lists name the way to the host. */
  readonly kind: string
  readonly label: string
  readonly connector: Connector
}

export interface Fleet {
  /** `local` first, the rest by name. */
  all(): readonly FleetHost[]
  byId(id: string): FleetHost | undefined
  /** Without regard to case. */
  named(name: string): FleetHost | undefined
  /** By id, or by name without regard to case. Throws `host.unknown`. */
  find(ref: string): FleetHost
  add(host: FleetHost): void
  /** A host that was renamed, labelled or is reached another way now. */
  change(host: FleetHost, to: Partial<Omit<FleetHost, 'id'>>): void
  remove(id: string): void
}

export function createFleet(local: FleetHost): Fleet {
  const others = new Map<string, FleetHost>()
  let byName = new Map<string, FleetHost>()
  /** Sorted when it is asked for: thousands may come one by one. */
  let sorted: readonly FleetHost[] | undefined
  enterName(local)

  /** Where hand-made records give a name twice, the first one keeps it. */
  function enterName(host: FleetHost): void {
    const key = nameKey(host.name)
    if (!byName.has(key)) byName.set(key, host)
  }

  function enterNamesAnew(): void {
    sorted = undefined
    byName = new Map()
    for (const host of [local, ...others.values()]) enterName(host)
  }

  function all(): readonly FleetHost[] {
    sorted ??= [local, ...[...others.values()].sort((a, b) => (a.name < b.name ? -1 : 1))]
    return sorted
  }

  const named = (name: string) => byName.get(nameKey(name))

  return {
    all,
    byId: (id) => (id === local.id ? local : others.get(id)),
    named,
    find(ref) {
      const host = others.get(ref) ?? named(ref)
      if (!host) throw failure('host.unknown', { host: ref })
      return host
    },
    add(host) {
      others.set(host.id, host)
      sorted = undefined
      enterName(host)
    },
    change(host, to) {
      Object.assign(host, to)
      enterNamesAnew()
    },
    remove(id) {
      others.delete(id)
      enterNamesAnew()
    },
  }
}

export function isLocal(host: FleetHost): boolean {
  return host.id === localHost
}

/** A host as lists show it, from what is known of it. `version` is this hub's; `asked` is what asking it just now came to. */
export function hostRow(host: FleetHost, health: HostHealth | undefined, version: string, asked: Probe | null = null): HostRow {
  const { state } = host.connector
  return {
    id: host.id,
    name: host.name,
    label: host.label,
    connector: host.kind,
    labels: { ...host.labels },
    trust: [...host.trust],
    status: state.status,
    since: state.since,
    reason: state.status === 'online' ? null : (state.reason ?? null),
    lastSeenAt: state.status === 'online' ? new Date().toISOString() : (health?.lastSeenAt ?? null),
    info: health?.info ?? null,
    versionSkew: health?.info ? versionSkew(health.info.version, version) : null,
    clockOffsetMs: health?.clockOffsetMs ?? null,
    probe: asked,
  }
}
