import { describe, expect, test } from 'vitest'
import { engines, testStore } from '../../test/resources/stores.ts'
import { prepared, preparedChange, type Values } from './prepared.ts'

describe.each(engines)('a prepared query on %s', (engine) => {
  test('is built once, and answers by the values of each time, inside a write and outside', async () => {
    await using store = await testStore(engine)
    let built = 0
    const put = prepared((db, value: Values<{ host: string; info: string | null }>) => {
      built += 1
      return db
        .insertInto('health')
        .values({ host: value('host'), last_seen_at: 't', info: value('info') })
        .returning('host')
    })
    const infoOf = prepared((db, value: Values<{ host: string }>) =>
      db.selectFrom('health').select('info').where('host', '=', value('host')).where('last_seen_at', '=', 't'),
    )
    expect(await store.write((db) => put(db, { host: 'a', info: 'of a' }))).toEqual([{ host: 'a' }])
    expect(await store.write((db) => put(db, { host: 'b', info: null }))).toEqual([{ host: 'b' }])
    expect(built).toBe(1)
    expect(await infoOf(store.db, { host: 'a' })).toEqual([{ info: 'of a' }])
    expect(await store.write((db) => infoOf(db, { host: 'b' }))).toEqual([{ info: null }])
    expect(await infoOf(store.db, { host: 'c' })).toEqual([])
  })

  test('for a change answers how many rows it wrote', async () => {
    await using store = await testStore(engine)
    const put = preparedChange((db, value: Values<{ host: string }>) =>
      db
        .insertInto('health')
        .values({ host: value('host'), last_seen_at: 't', info: null })
        .onConflict((conflict) => conflict.doNothing()),
    )
    const tell = preparedChange((db, value: Values<{ info: string }>) => db.updateTable('health').set({ info: value('info') }))
    expect(await store.write((db) => put(db, { host: 'a' }))).toBe(1)
    expect(await store.write((db) => put(db, { host: 'a' }))).toBe(0)
    expect(await store.write((db) => put(db, { host: 'b' }))).toBe(1)
    expect(await store.write((db) => tell(db, { info: 'of both' }))).toBe(2)
  })

  test('that fails undoes its write', async () => {
    await using store = await testStore(engine)
    const put = prepared((db, value: Values<{ host: string }>) =>
      db
        .insertInto('health')
        .values({ host: value('host'), last_seen_at: 't', info: null })
        .returning('host'),
    )
    const twice = store.write(async (db) => {
      await put(db, { host: 'a' })
      await put(db, { host: 'a' })
    })
    await expect(twice).rejects.toThrow()
    expect(await store.db.selectFrom('health').selectAll().execute()).toEqual([])
  })
})
