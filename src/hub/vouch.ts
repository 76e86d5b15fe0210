// Who of this hub's people asks or answers, as its hosts and its records are told. A host knows nobody behind its hub, so it believes
// the hub in this; what somebody says of himself is never passed on.

import type { Principal } from '../contract/implementation.ts'

export function personOf({ id }: Principal): string {
  return id
}
