// The way to any host of the fleet, for the API and for the hub's own parts: the same answers for both.

import type { Caller } from '../contract/caller.ts'
import { direct } from '../contract/direct.ts'
import type { MusterError } from '../contract/errors.ts'
import type { Implementation } from '../contract/implementation.ts'
import type { FleetHost } from './fleet.ts'
import { type ForwardTo, forwardTo } from './forward.ts'
import { hubItself } from './who-asks.ts'

export interface HostDoor {
  offers(host: FleetHost): Implementation
  caller(host: FleetHost): Caller
  /** Ends whatever is still being asked of a host that is being forgotten, also by readers who would wait for it. */
  forget(host: FleetHost, reason: MusterError): void
}

interface DoorTo extends Omit<ForwardTo, 'host' | 'gone'> {
  /** Ends, with its reason, whatever is still being asked. */
  readonly closing: AbortSignal
}

export function openDoor({ closing, ...to }: DoorTo): HostDoor {
  const opened = new WeakMap<FleetHost, { offers: Implementation; forgotten: AbortController }>()
  const open = (host: FleetHost) => {
    const known = opened.get(host) ?? doorOf(host)
    opened.set(host, known)
    return known
  }
  const doorOf = (host: FleetHost) => {
    const forgotten = new AbortController()
    return { offers: forwardTo({ ...to, host, gone: AbortSignal.any([closing, forgotten.signal]) }), forgotten }
  }
  return {
    offers: (host) => open(host).offers,
    caller: (host) => direct(open(host).offers, hubItself),
    forget: (host, reason) => open(host).forgotten.abort(reason),
  }
}
