// Tokens of people and programs. The value is shown once, when it is made; kept is its SHA-256.

import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import type { Expression, ExpressionBuilder, Kysely, Selectable, SqlBool } from 'kysely'
import { ulid } from 'ulidx'
import { failure, hasCode } from '../contract/errors.ts'
import { TokenRow } from '../contract/token.ts'
import type { Tables, TokenTable } from './schema.ts'
import type { Store } from './store.ts'

const touchEveryMs = 60_000

export interface NewToken {
  readonly name: string
  readonly role: TokenRow['role']
  readonly expiresAt?: string | null
  /** Who mints it: a token's id, or `local-socket`. */
  readonly createdBy?: string | null
}

/** Throws `auth.invalid` where the token that it is minted with was revoked meanwhile. */
export async function createToken(
  store: Store,
  { name, role, expiresAt = null, createdBy = null }: NewToken,
): Promise<{ row: TokenRow; value: string }> {
  const value = `mtok_${randomBytes(32).toString('hex')}`
  const row = await store.write(async (db) => {
    if (createdBy !== null) await requireUnrevoked(db, createdBy)
    return db
      .insertInto('token')
      .values({
        id: `tok_${ulid()}`,
        name,
        role,
        sha256: hashOf(value),
        created_at: new Date().toISOString(),
        last_used_at: null,
        revoked_at: null,
        expires_at: expiresAt,
        created_by: createdBy,
      })
      .returningAll()
      .executeTakeFirstOrThrow()
  })
  return { row: tokenOf(row), value }
}

/** Who mints may be losing his token this moment: his row is held until the commit. Throws `auth.invalid`. */
async function requireUnrevoked(db: Kysely<Tables>, minter: string): Promise<void> {
  const row = await db
    .updateTable('token')
    .set(({ ref }) => ({ revoked_at: ref('revoked_at') }))
    .where('id', '=', minter)
    .returning('revoked_at')
    .executeTakeFirst()
  if (row && row.revoked_at !== null) throw failure('auth.invalid')
}

/** The token of this value, unless it was revoked. Notes its use, at most once a minute. Throws `auth.expired`. */
export async function findToken(store: Store, value: string): Promise<TokenRow | undefined> {
  const sha256 = hashOf(value)
  const row = await store.db.selectFrom('token').selectAll().where('sha256', '=', sha256).executeTakeFirst()
  if (!row || !timingSafeEqual(Buffer.from(row.sha256), Buffer.from(sha256)) || row.revoked_at !== null) return undefined
  const now = Date.now()
  if (row.expires_at !== null && Date.parse(row.expires_at) <= now) throw failure('auth.expired', { at: row.expires_at })
  if (row.last_used_at === null || now - Date.parse(row.last_used_at) > touchEveryMs) await noteUse(store, row.id, now)
  return tokenOf(row)
}

/** The token of this id, unless it was revoked or has expired. */
export async function goodToken({ db }: Store, id: string): Promise<TokenRow | undefined> {
  const row = await db.selectFrom('token').selectAll().where('id', '=', id).executeTakeFirst()
  const isGood = row?.revoked_at === null && (row.expires_at === null || Date.parse(row.expires_at) > Date.now())
  return isGood ? tokenOf(row) : undefined
}

/** A disk that is full keeps nobody from looking: the use is noted another time. */
async function noteUse(store: Store, id: string, now: number): Promise<void> {
  try {
    await store.write((db) =>
      db
        .updateTable('token')
        .set({ last_used_at: new Date(now).toISOString() })
        .where('id', '=', id)
        .execute(),
    )
  } catch (error) {
    if (!hasCode(error, 'store.unavailable')) throw error
  }
}

export async function listTokens({ db }: Store): Promise<TokenRow[]> {
  return (await db.selectFrom('token').selectAll().orderBy('created_at').execute()).map(tokenOf)
}

/** What tokens of these ids are called, also of those that were revoked. An id that is none has no name. */
export async function tokenNames({ db }: Store, ids: readonly string[]): Promise<ReadonlyMap<string, string>> {
  if (ids.length === 0) return new Map()
  const rows = await db.selectFrom('token').select(['id', 'name']).where('id', 'in', ids).execute()
  return new Map(rows.map(({ id, name }) => [id, name]))
}

/**
 * Revokes by id, or by the name that only one has, for good, and with it all that it has minted, and all that those have. Answers them
 * all, the one that was named first. Throws `token.unknown`, `token.ambiguous`.
 */
export async function revokeToken(store: Store, ref: string): Promise<[TokenRow, ...TokenRow[]]> {
  const at = new Date().toISOString()
  const [first, ...rest] = await store.write(async (db) => {
    const named = await idOf(db, ref)
    const revoked = await revokeThose(db, at, ({ eb }) => eb('id', '=', named))
    let minters = revoked.map(({ id }) => id)
    while (minters.length > 0) {
      const those = minters
      revoked.push(...(await revokeThose(db, at, ({ eb }) => eb('created_by', 'in', those))))
      // Also those of one that was revoked before: it may have been by a hub that left what it had minted.
      const minted = await db.selectFrom('token').select('id').where('created_by', 'in', those).execute()
      minters = minted.map(({ id }) => id)
    }
    return revoked.map(tokenOf)
  })
  if (!first) throw failure('token.unknown', { token: ref })
  return [first, ...rest]
}

/** Of a token that is not revoked. */
async function idOf(db: Kysely<Tables>, ref: string): Promise<string> {
  const good = db.selectFrom('token').select('id').where('revoked_at', 'is', null)
  const byId = await good.where('id', '=', ref).execute()
  const meant = byId.length > 0 ? byId : await good.where('name', '=', ref).orderBy('created_at').execute()
  const [first, another] = meant
  if (!first) throw failure('token.unknown', { token: ref })
  if (another) throw failure('token.ambiguous', { name: ref, ids: meant.map(({ id }) => id).join(', '), first: first.id })
  return first.id
}

function revokeThose(
  db: Kysely<Tables>,
  at: string,
  which: (of: ExpressionBuilder<Tables, 'token'>) => Expression<SqlBool>,
): Promise<Selectable<TokenTable>[]> {
  return db.updateTable('token').set({ revoked_at: at }).where(which).where('revoked_at', 'is', null).returningAll().execute()
}

export function hashOf(value: string): string {
  return createHash('sha256').update(value).digest('hex')
}

function tokenOf(row: Selectable<TokenTable>): TokenRow {
  return TokenRow.parse({
    id: row.id,
    name: row.name,
    role: row.role,
    createdAt: row.created_at,
    createdBy: row.created_by,
    expiresAt: row.expires_at,
    lastUsedAt: row.last_used_at,
    revokedAt: row.revoked_at,
  })
}
