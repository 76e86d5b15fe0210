// The hub's side of what may be done on a host: the `[trust]` part of its record. The host's own policy is the other side, asked there;
// the narrower of the two counts. Asked before a run is taken for a host, before it is started, and before a proc is made.

import { failure } from '../contract/errors.ts'
import type { Family } from '../contract/family.ts'
import type { Operation } from '../contract/operation.ts'
import { hostOperations } from '../contract/operations.ts'
import { applyProc, callProc } from '../contract/proc.ts'
import { startRun } from '../contract/run.ts'
import type { FleetHost } from './fleet.ts'

const begins = new Map<Operation, Family>([
  [startRun, 'runs'],
  [applyProc, 'procs'],
])

const calls = new Map(hostOperations.filter(({ kind }) => kind === 'call').map((operation) => [operation.name, operation]))

/**
 * The operation that a host is really asked for: its built-in proc `service` answers every call there is, in the name of the hub that
 * asks. Throws `operation.unknown` for one that this hub cannot judge, since it does not know it.
 */
export function askedFor(operation: Operation, input: unknown): Operation {
  let asked = operation
  let given = input
  while (asked === callProc) {
    const { data } = callProc.input.safeParse(given)
    // What is no call of a proc is refused by the host.
    if (data?.proc !== 'service') return asked
    const inner = calls.get(data.method)
    if (!inner) throw failure('operation.unknown', { operation: data.method })
    asked = inner
    given = data.params
  }
  return asked
}

/** Throws `host.untrusted` where this operation begins something that the host's record does not trust it with. */
export function requireTrusted({ id, name, trust }: Pick<FleetHost, 'id' | 'name' | 'trust'>, operation: Operation): void {
  const family = begins.get(operation)
  if (family !== undefined && !trust.includes(family)) throw failure('host.untrusted', { host: name, id, family })
}
