// Nodes' credentials at the hub: the SHA-256 of the enrolment token, and the public key that first showed it. No secret.

import { timingSafeEqual } from 'node:crypto'
import type { Store } from './store.ts'
import { hashOf } from './tokens.ts'

export interface Enrolment {
  readonly host: string
  readonly tokenSha256: string
  /** Null until a node has shown the token. */
  readonly publicKey: string | null
}

export async function addEnrolment(store: Store, { host, token }: { host: string; token: string }): Promise<void> {
  await store.write((db) =>
    db
      .insertInto('node')
      .values({
        host,
        token_sha256: hashOf(token),
        public_key: null,
        created_at: new Date().toISOString(),
        enrolled_at: null,
      })
      .execute(),
  )
}

/** Another token in the place of the former one, and no certificate counts any more. A key that is bound stays so, and counts again once it has shown this token. */
export async function replaceEnrolment(store: Store, { host, token }: { host: string; token: string }): Promise<void> {
  const fresh = { token_sha256: hashOf(token), enrolled_at: null }
  await store.write(async (db) => {
    await db
      .insertInto('node')
      .values({ host, public_key: null, created_at: new Date().toISOString(), ...fresh })
      .onConflict((known) => known.column('host').doUpdateSet(fresh))
      .execute()
    await db.deleteFrom('certificate').where('host', '=', host).execute()
  })
}

export async function findEnrolment({ db }: Store, host: string): Promise<Enrolment | undefined> {
  const row = await db.selectFrom('node').selectAll().where('host', '=', host).executeTakeFirst()
  return row && { host: row.host, tokenSha256: row.token_sha256, publicKey: row.public_key }
}

export function tokenMatches({ tokenSha256 }: Enrolment, token: string): boolean {
  return timingSafeEqual(Buffer.from(tokenSha256), Buffer.from(hashOf(token)))
}

/** Binds a key, which has shown the token, to a host for good. False: another key is bound to it, or this key to another host. */
export function bindKey(store: Store, host: string, publicKey: string): Promise<boolean> {
  return store.write(async (db) => {
    const bound = await db
      .selectFrom('node')
      .select(['host', 'enrolled_at'])
      .where('public_key', '=', publicKey)
      .executeTakeFirst()
    if (bound && (bound.host !== host || bound.enrolled_at !== null)) return bound.host === host
    const row = await db
      .updateTable('node')
      .set({ public_key: publicKey, enrolled_at: new Date().toISOString() })
      .where('host', '=', host)
      .where((row) => row.or([row('public_key', 'is', null), row('public_key', '=', publicKey)]))
      .returning('host')
      .executeTakeFirst()
    return row !== undefined
  })
}

export interface KnownNode {
  readonly host: string
  /** False while its host has a token that it has not shown. */
  readonly hasShownToken: boolean
}

export async function findNodeByKey({ db }: Store, publicKey: string): Promise<KnownNode | undefined> {
  const row = await db.selectFrom('node').select(['host', 'enrolled_at']).where('public_key', '=', publicKey).executeTakeFirst()
  return row && { host: row.host, hasShownToken: row.enrolled_at !== null }
}

/** Its key and its certificates count no longer. */
export async function removeNode(store: Store, host: string): Promise<void> {
  await store.write(async (db) => {
    await db.deleteFrom('node').where('host', '=', host).execute()
    await db.deleteFrom('pairing').where('host', '=', host).execute()
    await db.deleteFrom('certificate').where('host', '=', host).execute()
  })
}
