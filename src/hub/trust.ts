// The hub's side of what may be done on a host: the `[trust]` part of its record. The host's own policy is the other side, asked there;
// the narrower of the two counts. Asked before a run is taken for a host, before it is started, and before a proc is made.

import { failure } from '../contract/errors.ts'
import type { Family } from '../contract/family.ts'
import type { Operation } from '../contract/operation.ts'
import { applyProc } from '../contract/proc.ts'
import { startRun } from '../contract/run.ts'
import type { FleetHost } from './fleet.ts'

const begins = new Map<Operation, Family>([
  [startRun, 'runs'],
  [applyProc, 'procs'],
])

/** Throws `host.untrusted` where this operation begins something that the host's record does not trust it with. */
export function requireTrusted({ id, name, trust }: Pick<FleetHost, 'id' | 'name' | 'trust'>, operation: Operation): void {
  const family = begins.get(operation)
  if (family !== undefined && !trust.includes(family)) throw failure('host.untrusted', { host: name, id, family })
}
