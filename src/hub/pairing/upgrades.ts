// Hosts that were let in by pairing and now ask for more than was approved: each at most once, until somebody has decided.
// What was approved counts meanwhile, for the hub's own record of a host says what is begun there.

import type { Caller } from '../../contract/caller.ts'
import { listCommands } from '../../contract/command.ts'
import { hasCode } from '../../contract/errors.ts'
import type { HostInfo } from '../../contract/host.ts'
import { refusedWishes, saveRefused } from '../../store/pairings.ts'
import type { Store } from '../../store/store.ts'
import type { FleetHost } from '../fleet.ts'
import type { FleetEvents } from '../fleet-events.ts'
import { beyond } from './wishes.ts'

export interface Upgrade {
  readonly host: FleetHost
  readonly asks: readonly string[]
  /** ISO 8601. */
  readonly since: string
}

export interface Upgrades {
  /** What a host said of itself just now. Its catalog is asked for what it exposes. Rejects as that call does. */
  note(host: FleetHost, info: HostInfo, caller: Caller): Promise<void>
  all(): Upgrade[]
  /** It was let in by pairing a moment ago: whatever was turned down before may be asked for again. */
  paired(host: string): void
  /** What it asks for and is not given is not asked about again. */
  refuse(host: FleetHost, wishes: readonly string[]): Promise<void>
}

interface Asked {
  readonly host: FleetHost
  readonly allows: readonly string[]
  readonly since: string
}

export function tellUpgrade(
  topic: 'pairing.upgrade_requested' | 'pairing.upgrade_decided',
  { host, asks }: Pick<Upgrade, 'host' | 'asks'>,
  events: Pick<FleetEvents, 'publish'>,
): void {
  events.publish({ topic, host: { id: host.id, name: host.name }, data: { asks: [...asks] } })
}

/** As many as one record of trust is to take up at once; the next are asked for when these are decided. */
const mostWishes = 64
const askDeadlineMs = 5_000

/** `onAsk` is told once of each new wish. */
export async function openUpgrades(store: Store, onAsk: (upgrade: Upgrade) => void): Promise<Upgrades> {
  /** By host; only those that were let in by pairing: the records of the others say what somebody chose. */
  const refused = await refusedWishes(store)
  const asked = new Map<string, Asked>()

  function openWishes({ host, allows }: Pick<Asked, 'host' | 'allows'>): string[] {
    const turnedDown = refused.get(host.id)
    return turnedDown === undefined ? [] : beyond(allows, [...host.trust, ...turnedDown]).slice(0, mostWishes)
  }

  return {
    async note(host, { allows: families }, caller) {
      if (!refused.has(host.id)) return
      const allows = [...families, ...(await exposedBy(caller))]
      const asks = openWishes({ host, allows })
      const before = asked.get(host.id)
      if (asks.length === 0) {
        asked.delete(host.id)
        return
      }
      const same = before !== undefined && beyond(asks, openWishes(before)).length === 0
      const since = same ? before.since : new Date().toISOString()
      asked.set(host.id, { host, allows, since })
      if (!same) onAsk({ host, asks, since })
    },
    all: () =>
      [...asked.values()].flatMap((one) => {
        const asks = openWishes(one)
        // Of a host that is away, nobody knows whether it still asks.
        return asks.length === 0 || one.host.connector.state.status !== 'online' ? [] : [{ ...one, asks }]
      }),
    paired(host) {
      refused.set(host, [])
      asked.delete(host)
    },
    async refuse({ id }, wishes) {
      const all = [...new Set([...(refused.get(id) ?? []), ...wishes])]
      await saveRefused(store, id, all)
      refused.set(id, all)
    },
  }
}

/** The names of the commands that a host exposes to this hub. */
async function exposedBy(caller: Caller): Promise<string[]> {
  try {
    const { commands } = await caller.call(listCommands, {}, { timeoutMs: askDeadlineMs })
    return commands.map(({ name }) => name)
  } catch (error) {
    // An older host has no catalog.
    if (hasCode(error, 'operation.unknown')) return []
    throw error
  }
}
