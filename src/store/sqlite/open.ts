// The embedded store: a writing connection, and a reading one that sees only what is committed (WAL gives each read its own
// snapshot).

import { open as openFile } from 'node:fs/promises'
import { DatabaseSync } from 'node:sqlite'
import type { Store, StoreReader } from '../engine.ts'
import { knownMigrations, migrate, migrations } from '../migrate.ts'
import { kyselyOver } from './connection.ts'
import { groupCommit } from './group-commit.ts'
import { asStoreProblem } from './problem.ts'

const busyTimeoutMs = 5_000

/**
 * Opens or creates the database file. The caller holds the home's lock: there is one writer. Rejects with `store.newer`,
 * `store.unavailable`.
 */
export async function openSqlite(file: string): Promise<Store> {
  try {
    return await open(file)
  } catch (error) {
    throw asStoreProblem(error, file)
  }
}

async function open(file: string): Promise<Store> {
  await using opened = new AsyncDisposableStack()
  const database = openDatabase(file)
  const writing = opened.adopt(kyselyOver(database), (db) => db.destroy())
  // FULL: a commit that has returned survives a power cut, not only the death of the process.
  database.exec('pragma journal_mode = wal; pragma synchronous = full; pragma wal_autocheckpoint = 4000')
  await migrate(writing, migrations('text'))
  const reading = opened.adopt(kyselyOver(openDatabase(file, { readOnly: true })), (db) => db.destroy())
  // Made by the first write, and there as long as the database is open.
  const log = opened.use(await openFile(`${file}-wal`))
  const commits = groupCommit(database, writing, file, () => log.datasync())
  opened.defer(() => commits.drained())

  const parts = opened.move()
  const close = () => parts.disposeAsync()
  return { engine: 'sqlite', db: reading, write: commits.write, close, [Symbol.asyncDispose]: close }
}

/**
 * For a look at a database beside the process that writes it: changes nothing, and waits for nobody. Rejects with `store.newer`; what
 * SQLite says is thrown as it is.
 */
export async function readSqlite(
  file: string,
): Promise<StoreReader & AsyncDisposable & { readonly migrations: readonly string[] }> {
  await using opened = new AsyncDisposableStack()
  const db = opened.adopt(kyselyOver(openDatabase(file, { readOnly: true })), (open) => open.destroy())
  const found = await knownMigrations(db, migrations('text'))
  const parts = opened.move()
  return { db, migrations: found, [Symbol.asyncDispose]: () => parts.disposeAsync() }
}

function openDatabase(file: string, options: { readOnly?: boolean } = {}): DatabaseSync {
  return new DatabaseSync(file, { ...options, timeout: busyTimeoutMs })
}
