// Who a bearer token belongs to. The local socket needs none and nodes have none; see docs/security.md.

import type { Principal } from '../contract/implementation.ts'
import { roleScopes } from '../contract/token.ts'
import type { Store } from '../store/store.ts'
import { findToken } from '../store/tokens.ts'

export async function authenticate(store: Store, value: string): Promise<Principal | undefined> {
  const token = await findToken(store, value)
  if (!token) return undefined
  return { kind: 'user', id: token.id, role: token.role, scopes: new Set(roleScopes[token.role]) }
}
