// Who asks a host by way of this hub: the hub itself, or one of its people, as hosts and records are told. A host knows nobody behind its
// hub, so it believes the hub in this; what somebody says of himself is never passed on.

import type { Principal } from '../contract/implementation.ts'
import { scopes } from '../contract/operation.ts'

/** This process, for what the hub asks by itself. */
export const hubItself: Principal = { kind: 'self', id: 'hub', role: 'operator', scopes: new Set(scopes) }

export function personOf({ id }: Principal): string {
  return id
}
