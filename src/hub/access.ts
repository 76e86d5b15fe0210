// Who a bearer token belongs to, and what it may mint. The local socket needs none and nodes have none; see docs/security.md.

import { timingSafeEqual } from 'node:crypto'
import { failure, hasCode } from '../contract/errors.ts'
import type { Principal } from '../contract/implementation.ts'
import type { OutputOf, ParsedOf, Scope } from '../contract/operation.ts'
import { type createToken, localOperator, type revokeToken, roleScopes, startTokenId, type TokenRow } from '../contract/token.ts'
import type { Store } from '../store/store.ts'
import * as tokens from '../store/tokens.ts'

export interface Access extends Disposable {
  /** Undefined for nobody's token. Rejects with `auth.expired`. */
  authenticate(value: string): Promise<Principal | undefined>
  /** Throws `token.exceeds` for a token that could do more, or would live longer, than the one it is minted with. */
  mint(input: ParsedOf<typeof createToken>, caller: Principal): Promise<OutputOf<typeof createToken>>
  /**
   * Who did something by this id, as he may act now: by a token that is good, or by one of the two ways in that have no
   * row: the local socket, and the token of the hub's start. Rejects with `auth.invalid`.
   */
  principalOf(id: string | null): Promise<Principal>
  /** Whether who did something by this id could do it again now. */
  mayStill(id: string, scope: Scope): Promise<boolean>
  /** With all that it has minted; what they still have open is cut off. Throws `token.unknown`. */
  revoke(ref: string): Promise<OutputOf<typeof revokeToken>>
}

/** Whose token came with the start of the hub. */
const operatorByStdin: Principal = { kind: 'user', id: startTokenId, role: 'operator', scopes: new Set(roleScopes.operator) }

export interface AccessOf {
  readonly store: Store
  /** An operator's token, good as long as this process; kept nowhere. */
  readonly token?: string | undefined
}

/** The longest time that Node's timers know. */
const longestTimerMs = 2 ** 31 - 1

interface InUse {
  readonly ending: AbortController
  timer?: NodeJS.Timeout
}

export function openAccess({ store, token }: AccessOf): Access {
  const given = token === undefined ? undefined : { sha256: tokens.hashOf(token), principal: operatorByStdin }
  /** One for each token that was shown since this hub began; a revoked one stays, for a request that was let in a moment before. */
  const inUse = new Map<string, InUse>()

  function use({ id, expiresAt }: TokenRow): AbortSignal {
    const known = inUse.get(id)
    if (known) return known.ending.signal
    const use: InUse = { ending: new AbortController() }
    inUse.set(id, use)
    if (expiresAt !== null) endAt(use, expiresAt)
    return use.ending.signal
  }

  function endAt(use: InUse, at: string): void {
    const leftMs = Date.parse(at) - Date.now()
    if (leftMs <= 0) return use.ending.abort(failure('auth.expired', { at }))
    use.timer = setTimeout(() => endAt(use, at), Math.min(leftMs, longestTimerMs))
    use.timer.unref()
  }

  /** Throws `auth.invalid` or `auth.expired` for one that has ended. */
  function principalBy(row: TokenRow): Principal {
    const ended = use(row)
    ended.throwIfAborted()
    const { id, name, role, expiresAt } = row
    return { kind: 'user', id, role, scopes: new Set(roleScopes[role]), token: { name, expiresAt, ended } }
  }

  async function principalOf(id: string | null): Promise<Principal> {
    if (id === localOperator.id) return localOperator
    if (id === given?.principal.id) return given.principal
    const row = id === null ? undefined : await tokens.goodToken(store, id)
    if (!row) throw failure('auth.invalid')
    return principalBy(row)
  }

  function end(id: string): void {
    const use: InUse = inUse.get(id) ?? { ending: new AbortController() }
    inUse.set(id, use)
    clearTimeout(use.timer)
    use.ending.abort(failure('auth.invalid'))
  }

  return {
    async authenticate(value) {
      if (given && isSame(given.sha256, tokens.hashOf(value))) return given.principal
      const row = await tokens.findToken(store, value)
      return row && principalBy(row)
    },

    principalOf,

    async mint({ name, role, expiresInMs }, caller) {
      const missing = roleScopes[role].filter((scope) => !caller.scopes.has(scope))
      if (missing.length > 0) throw failure('token.exceeds', { problem: `the role ${caller.role} lacks ${missing.join(', ')}` })
      const most = caller.token?.expiresAt ?? null
      const wanted = expiresInMs === undefined ? most : new Date(Date.now() + expiresInMs).toISOString()
      if (most !== null && wanted !== null && wanted > most) {
        throw failure('token.exceeds', { problem: `the token that it would be minted with expires at ${most}` })
      }
      const { row, value } = await tokens.createToken(store, { name, role, expiresAt: wanted, createdBy: caller.id })
      return { ...row, token: value }
    },

    async mayStill(id, scope) {
      try {
        return (await principalOf(id)).scopes.has(scope)
      } catch (error) {
        if (hasCode(error, 'auth.invalid') || hasCode(error, 'auth.expired')) return false
        throw error
      }
    },

    async revoke(ref) {
      const [row, ...minted] = await tokens.revokeToken(store, ref)
      for (const { id } of [row, ...minted]) end(id)
      return { ...row, minted }
    },

    [Symbol.dispose]() {
      for (const { timer } of inUse.values()) clearTimeout(timer)
    },
  }
}

function isSame(one: string, other: string): boolean {
  return timingSafeEqual(Buffer.from(one), Buffer.from(other))
}
