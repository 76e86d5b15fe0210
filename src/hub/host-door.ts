// The way to any host of the fleet, for the API and for the hub's own parts: the same answers for both.

import type { Caller } from '../contract/caller.ts'
import { direct } from '../contract/direct.ts'
import type { Implementation, Principal } from '../contract/implementation.ts'
import type { FleetHost } from './fleet.ts'
import { forwardTo } from './forward.ts'
import type { Mirror } from './mirror.ts'
import type { Queue } from './queue.ts'

export interface HostDoor {
  offers(host: FleetHost): Implementation
  caller(host: FleetHost): Caller
}

const hubItself: Principal = { kind: 'self', id: 'hub', role: 'operator', scopes: new Set(['read', 'operate', 'admin']) }

export function openDoor({ queue, mirror }: { queue: Queue; mirror: Mirror }): HostDoor {
  const opened = new WeakMap<FleetHost, Implementation>()
  const offers = (host: FleetHost) => {
    const known = opened.get(host) ?? forwardTo({ host, queue, mirror: mirror.readings(host.id) })
    opened.set(host, known)
    return known
  }
  return { offers, caller: (host) => direct(offers(host), hubItself) }
}
