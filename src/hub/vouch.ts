// What a hub adds to a question in its own name before a host hears it: who of its people asks or answers. The host knows nobody behind
// its hub, so it believes the hub in this; what somebody says of himself is written over here.

import { resolveApproval } from '../contract/approval.ts'
import { invokeCommand } from '../contract/command.ts'
import type { Principal } from '../contract/implementation.ts'
import type { Operation } from '../contract/operation.ts'
import { callProc } from '../contract/proc.ts'

/** By operation, the field of its input that names the person. */
const personFields = new Map<string, string>([
  [resolveApproval.name, 'by'],
  [invokeCommand.name, 'asker'],
])

/** The same input with the person in it. What the hub asks by itself is passed on as it is. */
export function vouched(operation: Pick<Operation, 'name'>, input: unknown, principal: Principal): unknown {
  if (principal.kind === 'self' || !isObject(input)) return input
  const field = personFields.get(operation.name)
  if (field !== undefined) return { ...input, [field]: personOf(principal) }
  // The proc `service` answers the host's own operations.
  if (operation.name !== callProc.name || typeof input.method !== 'string') return input
  return { ...input, params: vouched({ name: input.method }, input.params, principal) }
}

/** Somebody who asks this hub, as records show him. */
export function personOf({ id }: Principal): string {
  return id
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
