// Who a bearer token belongs to, and what it may mint. The local socket needs none and nodes have none; see docs/security.md.

import { createHash, timingSafeEqual } from 'node:crypto'
import { failure } from '../contract/errors.ts'
import type { Principal } from '../contract/implementation.ts'
import type { OutputOf, ParsedOf, Scope } from '../contract/operation.ts'
import { type createToken, localSocketId, type revokeToken, roleScopes, startTokenId, type TokenRow } from '../contract/token.ts'
import type { Store } from '../store/store.ts'
import * as tokens from '../store/tokens.ts'

export interface Access extends Disposable {
  /** Undefined for nobody's token. Rejects with `auth.expired`. */
  authenticate(value: string): Promise<Principal | undefined>
  /** Throws `token.exceeds` for a token that could do more, or would live longer, than the one it is minted with. */
  mint(input: ParsedOf<typeof createToken>, caller: Principal): Promise<OutputOf<typeof createToken>>
  /** Whether who did something by this id could do it again now: a token that is good, or one of the two ways in that have no row. */
  mayStill(id: string, scope: Scope): Promise<boolean>
  /** With all that it has minted; what they still have open is cut off. Throws `token.unknown`. */
  revoke(ref: string): Promise<OutputOf<typeof revokeToken>>
}

/** The longest time that Node's timers know. */
const longestTimerMs = 2 ** 31 - 1

/** Who shows the token that came with the hub's start. */
const startOperator: Principal = { kind: 'user', id: startTokenId, role: 'operator', scopes: new Set(roleScopes.operator) }

interface InUse {
  readonly ending: AbortController
  timer?: NodeJS.Timeout
}

/** `startToken`: an operator's, valid as long as this process. Only its digest is kept. */
export function openAccess(store: Store, startToken?: string): Access {
  const expected = startToken === undefined ? undefined : sha256(startToken)
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

  function end(id: string): void {
    const use: InUse = inUse.get(id) ?? { ending: new AbortController() }
    inUse.set(id, use)
    clearTimeout(use.timer)
    use.ending.abort(failure('auth.invalid'))
  }

  return {
    async authenticate(value) {
      if (expected && timingSafeEqual(sha256(value), expected)) return startOperator
      const row = await tokens.findToken(store, value)
      if (!row) return undefined
      const ended = use(row)
      ended.throwIfAborted()
      const { id, name, role, expiresAt } = row
      return { kind: 'user', id, role, scopes: new Set(roleScopes[role]), token: { name, expiresAt, ended } }
    },

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
      const row = (await tokens.listTokens(store)).find((token) => token.id === id)
      if (!row) return id === localSocketId || (id === startTokenId && expected !== undefined)
      const isGood = row.revokedAt === null && (row.expiresAt === null || Date.parse(row.expiresAt) > Date.now())
      return isGood && (roleScopes[row.role] as readonly Scope[]).includes(scope)
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

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
