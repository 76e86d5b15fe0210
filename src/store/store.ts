// The store: opens the database of a host or hub, embedded (node:sqlite) or PostgreSQL, brings it up to date, and hands out reads
// and durable writes. The files beside this one, one for each aggregate, are its only users; nobody outside src/store sees SQL.

import type { Store } from './engine.ts'
import { openPostgres } from './postgres/open.ts'
import { openSqlite } from './sqlite/open.ts'

export type { Store } from './engine.ts'

export type StoreLocation = { readonly file: string } | { readonly url: string }

/** Opens a store and migrates it. Rejects with `store.newer`, `store.unavailable`. */
export async function openStore(where: StoreLocation): Promise<Store> {
  return 'file' in where ? openSqlite(where.file) : openPostgres(where.url)
}

/** Rejects with `store.unavailable` while nothing can be written durably. */
export async function pingStore(store: Store): Promise<void> {
  const at = new Date().toISOString()
  await store.write((db) =>
    db
      .insertInto('probe')
      .values({ id: 1, at })
      .onConflict((known) => known.column('id').doUpdateSet({ at }))
      .execute(),
  )
}
