import { sql } from 'kysely'
import { expect, test } from 'vitest'
import { testStore } from '../../../test/resources/stores.ts'

test('connections that the server ended are replaced, and a write that was under way on one is store.unavailable', async () => {
  await using store = await testStore('postgres')
  const endOthers = sql`select pg_terminate_backend(pid) from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid()`
  await endOthers.execute(store.db)
  const interrupted = store.write(async (db) => {
    await db.insertInto('health').values({ host: 'a', last_seen_at: 't', info: null }).execute()
    await endOthers.execute(store.db)
    await db.insertInto('health').values({ host: 'b', last_seen_at: 't', info: null }).execute()
  })
  await expect(interrupted).rejects.toMatchObject({ code: 'store.unavailable' })
  await store.write((db) => db.insertInto('health').values({ host: 'c', last_seen_at: 't', info: null }).execute())
  expect(await store.db.selectFrom('health').select('host').execute()).toEqual([{ host: 'c' }])
})

test('a write that the server undid because of a deadlock is done again', async () => {
  await using store = await testStore('postgres')
  const put = (host: string) =>
    store.write((db) => db.insertInto('health').values({ host, last_seen_at: '0', info: null }).execute())
  await Promise.all(['a', 'b'].map(put))
  const bothHaveOne = Promise.withResolvers<void>()
  let holders = 0
  const touch = (order: string[]) =>
    store.write(async (db) => {
      for (const host of order) {
        await db.updateTable('health').set({ last_seen_at: '1' }).where('host', '=', host).execute()
        holders += 1
        if (holders === 2) bothHaveOne.resolve()
        await bothHaveOne.promise
      }
    })
  await Promise.all([touch(['a', 'b']), touch(['b', 'a'])])
  // Two rows in two works, and those of the one that was done again.
  expect(holders).toBeGreaterThan(4)
})

test('of many that wait together one that throws fails alone, and the others are there once', async () => {
  await using store = await testStore('postgres')
  const put = (host: string) => (db: Parameters<Parameters<typeof store.write>[0]>[0]) =>
    db.insertInto('health').values({ host, last_seen_at: 't', info: null }).execute()
  const hosts = Array.from({ length: 100 }, (_, at) => `host-${at}`)
  const written = await Promise.allSettled(
    hosts.map((host, at) =>
      store.write(async (db) => {
        await put(host)(db)
        if (at === 50) throw new Error('not this one')
      }),
    ),
  )
  expect(written.filter(({ status }) => status === 'rejected')).toMatchObject([{ reason: { message: 'not this one' } }])
  const there = await store.db.selectFrom('health').select('host').execute()
  expect(there.map(({ host }) => host).sort()).toEqual(hosts.filter((_, at) => at !== 50).sort())
})

test('many that wait together share commits', async () => {
  await using store = await testStore('postgres')
  const transactions = new Set<string>()
  const note = async (host: string) =>
    store.write(async (db) => {
      await db.insertInto('health').values({ host, last_seen_at: 't', info: null }).execute()
      const { rows } = await sql<{ id: string }>`select pg_current_xact_id()::text as id`.execute(db)
      transactions.add(rows[0]?.id ?? '')
    })
  await Promise.all(Array.from({ length: 200 }, (_, at) => note(`host-${at}`)))
  expect(transactions.size).toBeLessThan(50)
})

test('a row that somebody else holds keeps up nobody but those that share with its writer', async () => {
  await using store = await testStore('postgres')
  const put = (host: string) =>
    store.write((db) =>
      db
        .insertInto('health')
        .values({ host, last_seen_at: '0', info: null })
        .onConflict((known) => known.column('host').doUpdateSet({ last_seen_at: '1' }))
        .execute(),
    )
  await put('held')
  const isHeld = Promise.withResolvers<void>()
  const mayGo = Promise.withResolvers<void>()
  const holder = store.write(async (db) => {
    await db.updateTable('health').set({ last_seen_at: '2' }).where('host', '=', 'held').execute()
    isHeld.resolve()
    await mayGo.promise
  })
  await isHeld.promise
  const held = Array.from({ length: 12 }, () => put('held'))
  const others = Array.from({ length: 100 }, (_, at) => put(`host-${at}`))
  await Promise.all(others.slice(50))
  mayGo.resolve()
  await Promise.all([holder, ...held, ...others])
  expect(await store.db.selectFrom('health').select('host').execute()).toHaveLength(101)
})
