// The store: opens the database of a host or hub, embedded (node:sqlite) or PostgreSQL, brings it up to date, and hands out reads and
// durable writes. The files beside this one, one for each aggregate, are its only users; nobody outside src/store sees SQL.

import type { Kysely } from 'kysely'
import { openPostgres } from './postgres/open.ts'
import type { Tables } from './schema.ts'
import { openSqlite } from './sqlite/open.ts'

/** One unit of writing. It touches nothing but the database: others wait for it, and it may be run again. */
export type Work<T> = (db: Kysely<Tables>) => Promise<T>

export interface Store extends AsyncDisposable {
  readonly engine: 'sqlite' | 'postgres'
  /** For reading: sees what is committed and nothing else. */
  readonly db: Kysely<Tables>
  /**
   * Does the work as one transaction; durable when it resolves. Writes that wait together may share one commit, but one that
   * fails changes nothing and fails nobody else. Rejects with what the work threw, or with `store.unavailable`.
   */
  write<T>(work: Work<T>): Promise<T>
  /** Finishes the writes that were asked for, then closes. */
  close(): Promise<void>
}

export type StoreLocation = { readonly file: string } | { readonly url: string }

/** Opens a store and migrates it. Rejects with `store.newer`, `store.unavailable`. */
export async function openStore(where: StoreLocation): Promise<Store> {
  return 'file' in where ? openSqlite(where.file) : openPostgres(where.url)
}

/** Rejects with `store.unavailable` while nothing can be written durably. */
export async function pingStore(store: Store): Promise<void> {
  const at = new Date().toISOString()
  await store.write((db) =>
    db.insertInto('probe').values({ id: 1, at }).onConflict((known) => known.column('id').doUpdateSet({ at })).execute())
}
