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
