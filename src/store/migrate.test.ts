import { readdir } from 'node:fs/promises'
import { DatabaseSync } from 'node:sqlite'
import { Kysely, PostgresDialect, sql } from 'kysely'
import pg from 'pg'
import { describe, expect, test } from 'vitest'
import { engines, testDatabase } from '../../test/resources/stores.ts'
import { submitJob } from './jobs/submit.ts'
import { migrate, migrations } from './migrate.ts'
import { outputGaps, readJournal } from './runs.ts'
import type { Tables } from './schema.ts'
import { kyselyOver } from './sqlite/connection.ts'
import { openStore, type StoreLocation } from './store.ts'

/** A database as the first release left it, with rows of its time: the text of these statements never changes. */
const liveRows = [
  `insert into run (host, id, kind, state, title, parent, parent_run, spec, fence, created_at, started_at, ended_at, pid, exit, error,
    stdout, stderr, last_event) values ('h', 'r1', 'command', 'running', 'sleep 9', null, null, null, 0, '2026-01-01T00:00:00.000Z',
    '2026-01-01T00:00:01.000Z', null, 42, null, null, 0, 0, 2)`,
  `insert into event (host, run, seq, position, at, body) values ('h', 'r1', 1, 1, '2026-01-01T00:00:00.000Z',
    '{"type":"accepted","kind":"command","title":"sleep 9","parent":null}')`,
  `insert into event (host, run, seq, position, at, body) values ('h', 'r1', 2, 2, '2026-01-01T00:00:01.000Z',
    '{"type":"state","state":"running","pid":42}')`,
  `insert into journal (host, position) values ('h', 2)`,
  `insert into job (run, host, key, fingerprint, spec, kind, parent, parent_run, title, state, run_state, fence, owner, lease_until, queue,
    created_at, expires_at, started_at, ended_at, error) values ('r2', 'h', 'k', 'f',
    '{"kind":"command","argv":["true"],"env":{},"stdin":"none","timeoutMs":1000}', 'command', null, null, 'true', 'claimed', 'claimed', 3,
    'o', '2026-01-01T00:00:30.000Z', 1, '2026-01-01T00:00:00.000Z', '2026-01-02T00:00:00.000Z', null, null, null)`,
  `insert into token (id, name, role, sha256, created_at, last_used_at, revoked_at)
    values ('tok_1', 'ci', 'viewer', 'abc', '2026-01-01T00:00:00.000Z', null, null)`,
  `insert into node (host, token_sha256, public_key, created_at, enrolled_at) values ('h', 'def', null, '2026-01-01T00:00:00.000Z', null)`,
]

function connect(where: StoreLocation): Kysely<Tables> {
  if ('file' in where) return kyselyOver(new DatabaseSync(where.file))
  return new Kysely({ dialect: new PostgresDialect({ pool: new pg.Pool({ connectionString: where.url }) }) })
}

/** Tables with their columns, and indexes. */
async function shapeOf(where: StoreLocation): Promise<unknown> {
  const db = connect(where)
  try {
    const tables = await db.introspection.getTables()
    const indexes = await sql<{ name: string; sql: string }>`${sql.raw(
      'file' in where
        ? "select name, sql from sqlite_schema where type = 'index' and sql is not null"
        : "select indexname as name, indexdef as sql from pg_indexes where schemaname = 'public'",
    )} order by 1`.execute(db)
    return {
      tables: tables.map(({ name, columns }) => ({
        name,
        columns: columns.map((one) => `${one.name} ${one.dataType}`).toSorted(),
      })),
      indexes: indexes.rows,
    }
  } finally {
    await db.destroy()
  }
}

async function shapeOfNew(engine: (typeof engines)[number]): Promise<unknown> {
  await using database = await testDatabase(engine)
  await (await openStore(database.where)).close()
  // Before the database is gone again.
  return await shapeOf(database.where)
}

const textOf = (where: StoreLocation) => ('file' in where ? ('text' as const) : sql`text collate "C"`)

const releases = Object.keys(migrations('text'))

describe.each(engines)('migrations on %s', (engine) => {
  test.each(releases)('take a database as of %s, with what is live in it, to the newest', async (release) => {
    await using database = await testDatabase(engine)
    const older = connect(database.where)
    const known = Object.entries(migrations(textOf(database.where)))
    await migrate(older, Object.fromEntries(known.slice(0, releases.indexOf(release) + 1)))
    for (const statement of liveRows) await sql.raw(statement).execute(older)
    await older.destroy()

    await using store = await openStore(database.where)
    expect(await shapeOf(database.where)).toEqual(await shapeOfNew(engine))
    expect(await outputGaps(store, 'h')).toEqual(['r1'])
    expect((await readJournal(store, 'h', 0, 10)).map(({ event }) => event.type)).toEqual(['accepted', 'state'])
    const { job, created } = await submitJob(store, {
      run: 'other',
      host: 'h',
      key: 'k',
      fingerprint: 'f',
      spec: { kind: 'command', argv: ['true'], env: {}, stdin: 'none', timeoutMs: 1000 },
      parent: null,
      title: 'true',
      queue: true,
      createdAt: '2026-01-01T00:00:00.000Z',
      expiresAt: '2026-01-02T00:00:00.000Z',
    })
    expect({ created, run: job.run, fence: job.fence, state: job.state }).toEqual({
      created: false,
      run: 'r2',
      fence: 3,
      state: 'claimed',
    })
  })

  test('refuse a database that a newer Muster wrote, and leave it as it is', async () => {
    await using database = await testDatabase(engine)
    await (await openStore(database.where)).close()
    const newer = connect(database.where)
    await sql`insert into kysely_migration (name, timestamp) values ('999-from-the-future', '2030')`.execute(newer)
    await newer.destroy()
    await expect(openStore(database.where)).rejects.toMatchObject({
      code: 'store.newer',
      message: expect.stringContaining('999-from-the-future'),
    })
  })

  test('that fail half-way change nothing', async () => {
    await using database = await testDatabase(engine)
    const db = connect(database.where)
    const broken = {
      ...migrations(textOf(database.where)),
      '999-broken': {
        up: async () => {
          throw new Error('half-way')
        },
      },
    }
    await expect(migrate(db, broken)).rejects.toThrow('half-way')
    expect((await db.introspection.getTables()).map(({ name }) => name)).not.toContain('run')
    await migrate(db, migrations(textOf(database.where)))
    await db.destroy()
  })
})

test('every migration file is listed, in order', async () => {
  const files = await readdir(new URL('migrations/', import.meta.url))
  const names = files.filter((name) => /^\d/.test(name)).map((name) => name.replace(/\.ts$/, ''))
  expect(Object.keys(migrations('text'))).toEqual(names.toSorted())
})
