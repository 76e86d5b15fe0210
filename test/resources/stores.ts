// For tests: the same store on each engine, empty and disposed after use. One PostgreSQL is started for each vitest worker, when
// the first test needs it; each store in it is a database of its own.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import { openStore, type Store, type StoreLocation } from '../../src/store/store.ts'
import { type Postgres, startPostgres } from './postgres.ts'

export const engines = ['sqlite', 'postgres'] as const
export type Engine = (typeof engines)[number]

export interface TestDatabase extends AsyncDisposable {
  readonly where: StoreLocation
}

export interface TestStore extends Store {
  readonly where: StoreLocation
}

/** An empty database, which a test opens itself: once, twice, or after having written to it. */
export async function testDatabase(engine: Engine): Promise<TestDatabase> {
  return engine === 'sqlite' ? sqliteDatabase() : postgresDatabase()
}

/** An open store on an empty database. */
export async function testStore(engine: Engine): Promise<TestStore> {
  await using opened = new AsyncDisposableStack()
  const { where } = opened.use(await testDatabase(engine))
  const store = opened.use(await openStore(where))
  const parts = opened.move()
  return { ...store, where, [Symbol.asyncDispose]: () => parts.disposeAsync() }
}

async function sqliteDatabase(): Promise<TestDatabase> {
  const dir = await mkdtemp(join(tmpdir(), 'muster-store-'))
  return {
    where: { file: join(dir, 'test.db') },
    [Symbol.asyncDispose]: () => rm(dir, { recursive: true, force: true }),
  }
}

let counter = 0

async function postgresDatabase(): Promise<TestDatabase> {
  const server = await postgres()
  counter += 1
  const name = `test_${counter}`
  return { where: { url: await server.create(name) }, [Symbol.asyncDispose]: () => server.drop(name) }
}

let started: Promise<Postgres> | undefined

function postgres(): Promise<Postgres> {
  started ??= startPostgres({
    // Not by the machine's locale; one that does not compare by code point, so that our columns must say how they compare.
    initdb: ['--no-sync', '--locale-provider=icu', '--icu-locale=en'],
    settings: ['unix_socket_directories='],
  })
  return started
}

afterAll(async () => {
  const server = await started
  started = undefined
  await server?.[Symbol.asyncDispose]()
})
