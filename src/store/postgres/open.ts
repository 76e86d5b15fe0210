// The store on PostgreSQL: a pool, and a transaction for each write. The database batches commits by itself.

import { Kysely, PostgresDialect, sql } from 'kysely'
import pg from 'pg'
import type { Store } from '../engine.ts'
import { migrate, migrations } from '../migrate.ts'
import type { Tables } from '../schema.ts'
import { asStoreProblem } from './problem.ts'
import { transactions } from './transactions.ts'

const connections = 16
/** The rest is for reading. */
const writers = 12
const connectTimeoutMs = 10_000
const statementTimeoutMs = 60_000
const int8 = 20

/** Rejects with `store.newer`, `store.unavailable`. */
export async function openPostgres(url: string): Promise<Store> {
  try {
    return await open(url)
  } catch (error) {
    throw asStoreProblem(error)
  }
}

async function open(url: string): Promise<Store> {
  await using opened = new AsyncDisposableStack()
  const db = opened.adopt(new Kysely<Tables>({ dialect: new PostgresDialect({ pool: openPool(url) }) }), (one) => one.destroy())
  // By code point, as SQLite and JavaScript compare; the database's own collation may differ from both.
  await migrate(db, migrations(sql`text collate "C"`))
  const writes = transactions(db, writers)
  opened.defer(() => writes.drained())

  const parts = opened.move()
  const close = () => parts.disposeAsync()
  return { engine: 'postgres', db, write: writes.write, close, [Symbol.asyncDispose]: close }
}

function openPool(url: string): pg.Pool {
  const pool = new pg.Pool({
    connectionString: url,
    max: connections,
    connectionTimeoutMillis: connectTimeoutMs,
    statement_timeout: statementTimeoutMs,
    application_name: 'muster',
    // Our integers are counters, sizes and flags, all below 2^53. Set here, not in the driver's global table.
    types: { getTypeParser: (oid, format) => (oid === int8 ? Number : pg.types.getTypeParser(oid, format)) },
  })
  // A connection that the server ended is dropped by the pool. Whoever was using it hears of it from its next statement, and
  // whoever needs one next when none can be had; an event that nobody listens to would end the process.
  pool.on('error', () => undefined)
  pool.on('connect', (client) => client.on('error', () => undefined))
  return pool
}
