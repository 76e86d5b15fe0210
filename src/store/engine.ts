// What a database engine gives to the files of the aggregates: reads and durable writes. sqlite/ and postgres/ are the two
// engines.

import type { Kysely } from 'kysely'
import type { Tables } from './schema.ts'

/** One unit of writing. It touches nothing but the database: others wait for it, and it may be run again. */
export type Work<T> = (db: Kysely<Tables>) => Promise<T>

/**
 * `soon`: the flush to disk may take longer, so that it holds up nobody else; others may read what was written before it is on disk.
 * Where that fails the write rejects, though it may be there.
 */
export type Urgency = 'now' | 'soon'

export interface StoreReader {
  /** For reading: sees what is committed and nothing else. */
  readonly db: Kysely<Tables>
}

export interface Store extends StoreReader, AsyncDisposable {
  readonly engine: 'sqlite' | 'postgres'
  /**
   * Does the work as one transaction; durable when it resolves. Writes that wait together may share one commit, but one that
   * fails changes nothing and fails nobody else. Rejects with what the work threw, or with `store.unavailable`.
   */
  write<T>(work: Work<T>, urgency?: Urgency): Promise<T>
  /** Finishes the writes that were asked for, then closes. */
  close(): Promise<void>
}
