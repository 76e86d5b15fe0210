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

export async function findEnrolment({ db }: Store, host: string): Promise<Enrolment | undefined> {
  const row = await db.selectFrom('node').selectAll().where('host', '=', host).executeTakeFirst()
  return row && { host: row.host, tokenSha256: row.token_sha256, publicKey: row.public_key }
}

export function tokenMatches({ tokenSha256 }: Enrolment, token: string): boolean {
  return timingSafeEqual(Buffer.from(tokenSha256), Buffer.from(hashOf(token)))
}

/** Binds a key to a host for good. False: another key is bound to it, or this key to another host; nothing was changed. */
export function bindKey(store: Store, host: string, publicKey: string): Promise<boolean> {
  return store.write(async (db) => {
    const bound = await db.selectFrom('node').select('host').where('public_key', '=', publicKey).executeTakeFirst()
    if (bound) return bound.host === host
    const row = await db
      .updateTable('node')
      .set({ public_key: publicKey, enrolled_at: new Date().toISOString() })
      .where('host', '=', host)
      .where('public_key', 'is', null)
      .returning('host')
      .executeTakeFirst()
    return row !== undefined
  })
}

export async function findNodeByKey({ db }: Store, publicKey: string): Promise<{ host: string } | undefined> {
  return db.selectFrom('node').select('host').where('public_key', '=', publicKey).executeTakeFirst()
}

export async function removeNode(store: Store, host: string): Promise<void> {
  await store.write((db) => db.deleteFrom('node').where('host', '=', host).execute())
}
