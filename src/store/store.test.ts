import { describe, expect, test } from 'vitest'
import { engines, testDatabase, testStore } from '../../test/resources/stores.ts'
import { failure } from '../contract/errors.ts'
import { openStore, pingStore } from './store.ts'

const at = '2026-01-01T00:00:00.000Z'

describe.each(engines)('a store on %s', (engine) => {
  test('has what was written after it was closed and opened again', async () => {
    await using database = await testDatabase(engine)
    {
      await using store = await openStore(database.where)
      await store.write((db) => db.insertInto('health').values({ host: 'h', last_seen_at: at, info: null }).execute())
    }
    await using store = await openStore(database.where)
    expect(await store.db.selectFrom('health').select('host').execute()).toMatchObject([{ host: 'h' }])
  })

  test('undoes a write that throws, and none of those beside it', async () => {
    await using store = await testStore(engine)
    const put = (host: string, fails: boolean) =>
      store.write(async (db) => {
        await db.insertInto('health').values({ host, last_seen_at: at, info: null }).execute()
        if (fails) throw failure('run.unknown', { run: host })
        return host
      })
    const outcomes = await Promise.allSettled(Array.from({ length: 40 }, (_, n) => put(`h${n}`, n % 3 === 0)))
    const kept = outcomes.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
    const rows = await store.db.selectFrom('health').select('host').execute()
    expect(rows.map(({ host }) => host).sort()).toEqual(kept.sort())
    expect(kept).toHaveLength(26)
    expect(outcomes[0]).toMatchObject({ reason: { code: 'run.unknown' } })
  })

  test('shows readers nothing that is not committed', async () => {
    await using store = await testStore(engine)
    const seen: number[] = []
    await store.write(async (db) => {
      await db.insertInto('health').values({ host: 'h', last_seen_at: at, info: null }).execute()
      seen.push((await store.db.selectFrom('health').selectAll().execute()).length)
    })
    seen.push((await store.db.selectFrom('health').selectAll().execute()).length)
    expect(seen).toEqual([0, 1])
  })

  test('reads integers beyond 32 bits as numbers', async () => {
    await using store = await testStore(engine)
    await store.write((db) =>
      db
        .insertInto('journal')
        .values({ host: 'h', position: 2 ** 40 })
        .execute(),
    )
    const { position } = await store.db.selectFrom('journal').select('position').executeTakeFirstOrThrow()
    expect(position).toBe(2 ** 40)
  })

  test('orders text by code point', async () => {
    await using store = await testStore(engine)
    const hosts = ['b', 'B', 'a_', 'aZ', 'a-', 'A', 'z', '\u00e9']
    await store.write((db) =>
      db
        .insertInto('health')
        .values(hosts.map((host) => ({ host, last_seen_at: at, info: null })))
        .execute(),
    )
    const rows = await store.db.selectFrom('health').select('host').orderBy('host').execute()
    expect(rows.map(({ host }) => host)).toEqual(hosts.toSorted())
  })

  test('finishes the writes that were asked for before it closes', async () => {
    await using database = await testDatabase(engine)
    const store = await openStore(database.where)
    const writes = Array.from({ length: 300 }, (_, n) =>
      store.write((db) =>
        db
          .insertInto('health')
          .values({ host: `h${n}`, last_seen_at: at, info: null })
          .execute(),
      ),
    )
    await store.close()
    await Promise.all(writes)
    await using again = await openStore(database.where)
    expect(await again.db.selectFrom('health').select('host').execute()).toHaveLength(300)
  })

  test('answers a ping, and repeats it', async () => {
    await using store = await testStore(engine)
    await pingStore(store)
    await pingStore(store)
  })
})

test('a database that cannot be reached is store.unavailable, and the password is not in the message', async () => {
  const opening = openStore({ url: 'postgres://muster:s3cret@127.0.0.1:1/none' })
  await expect(opening).rejects.toMatchObject({ code: 'store.unavailable' })
  await expect(opening).rejects.not.toMatchObject({ message: expect.stringContaining('s3cret') })
})

test('a file that is no database is store.unavailable', async () => {
  await expect(openStore({ file: '/proc/version' })).rejects.toMatchObject({ code: 'store.unavailable' })
})
