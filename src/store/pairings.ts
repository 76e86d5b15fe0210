// Hosts that were let in by pairing: their key, which a person has approved, and what of their later wishes was turned down.
// Who still waits is kept nowhere: that ends with its connection.

import { randomBytes } from 'node:crypto'
import { z } from 'zod'
import type { Store } from './store.ts'
import { hashOf } from './tokens.ts'

export interface NewPairing {
  readonly host: string
  readonly publicKey: string
  /** Who approved it: the id of the principal. */
  readonly approvedBy: string
}

/**
 * Binds a key to a host, or once more to the host that it is bound to, whose certificates then count no longer. What was turned down before may be asked for again.
 * False: the key is bound to another host.
 */
export function savePairing(store: Store, { host, publicKey, approvedBy }: NewPairing): Promise<boolean> {
  const now = new Date().toISOString()
  const approved = { approved_at: now, approved_by: approvedBy, refused: '[]' }
  // A host that is paired has no token: nobody knows what this is the digest of.
  const noToken = hashOf(randomBytes(32).toString('hex'))
  return store.write(async (db) => {
    const bound = await db.selectFrom('node').select('host').where('public_key', '=', publicKey).executeTakeFirst()
    if (bound && bound.host !== host) return false
    await db
      .insertInto('node')
      .values({ host, token_sha256: noToken, public_key: publicKey, created_at: now, enrolled_at: now })
      .onConflict((known) => known.column('host').doUpdateSet({ public_key: publicKey, enrolled_at: now }))
      .execute()
    await db.deleteFrom('certificate').where('host', '=', host).execute()
    await db
      .insertInto('pairing')
      .values({ host, ...approved })
      .onConflict((known) => known.column('host').doUpdateSet(approved))
      .execute()
    return true
  })
}

/** What was turned down, for every host that was let in by pairing. */
export async function refusedWishes({ db }: Store): Promise<Map<string, string[]>> {
  const rows = await db.selectFrom('pairing').select(['host', 'refused']).execute()
  return new Map(rows.map(({ host, refused }) => [host, Texts.parse(JSON.parse(refused))]))
}

export async function saveRefused(store: Store, host: string, refused: readonly string[]): Promise<void> {
  await store.write((db) =>
    db
      .updateTable('pairing')
      .set({ refused: JSON.stringify(refused) })
      .where('host', '=', host)
      .execute(),
  )
}

const Texts = z.array(z.string())
