import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect, test, vi } from 'vitest'
import type { Urgency } from '../engine.ts'
import { migrate, migrations } from '../migrate.ts'
import { kyselyOver } from './connection.ts'
import { groupCommit } from './group-commit.ts'

async function openDatabase() {
  const dir = await mkdtemp(join(tmpdir(), 'muster-group-'))
  const file = join(dir, 'test.db')
  const database = new DatabaseSync(file)
  database.exec('pragma journal_mode = wal')
  const db = kyselyOver(database)
  await migrate(db, migrations('text'))
  const write = (host: string, info: string | null = null, urgency?: Urgency) =>
    commits.write((tx) => tx.insertInto('health').values({ host, last_seen_at: 't', info }).execute(), urgency)
  const mode = () => database.prepare('pragma synchronous').get()?.synchronous
  const flush = { times: 0, log: async () => {} }
  const commits = groupCommit(database, db, file, () => {
    flush.times += 1
    return flush.log()
  })
  return {
    flush,
    mode,
    commits,
    database,
    write,
    hosts: () =>
      database
        .prepare('select host from health order by host')
        .all()
        .map(({ host }) => host),
    async [Symbol.asyncDispose]() {
      database.close()
      await rm(dir, { recursive: true, force: true })
    },
  }
}

test('writes that are asked for together share a commit, or a few where the machine is slow', async () => {
  await using opened = await openDatabase()
  const { database, write } = opened
  let commits = 0
  const exec = database.exec.bind(database)
  database.exec = (sql: string) => {
    if (sql === 'commit') commits += 1
    exec(sql)
  }
  await Promise.all(Array.from({ length: 200 }, (_, n) => write(`h${n}`)))
  expect(commits).toBeLessThan(100)
})

test('when the database is full everybody in the commit hears it, and when there is room again writing goes on', async () => {
  await using opened = await openDatabase()
  const { database, write, hosts } = opened
  await write('before')
  const { page_count: pages } = database.prepare('pragma page_count').get() as { page_count: number }
  database.exec(`pragma max_page_count = ${pages + 2}`)
  const outcomes = await Promise.allSettled(['a', 'b', 'c'].map((host) => write(host, 'x'.repeat(40_000))))
  for (const outcome of outcomes)
    expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'store.unavailable', retryable: true } })
  expect(hosts()).toEqual(['before'])
  database.exec('pragma max_page_count = 100000')
  await write('after', 'x'.repeat(40_000))
  expect(hosts()).toEqual(['after', 'before'])
})

test("a commit that fails is nobody's success", async () => {
  await using opened = await openDatabase()
  const { database, write, hosts } = opened
  const exec = database.exec.bind(database)
  database.exec = (sql: string) => {
    if (sql === 'commit') throw Object.assign(new Error('disk I/O error'), { errcode: 10 })
    exec(sql)
  }
  for (const outcome of await Promise.allSettled([write('a'), write('b')])) {
    expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'store.unavailable' } })
  }
  database.exec = exec
  expect(hosts()).toEqual([])
  await write('c')
  expect(hosts()).toEqual(['c'])
})

test('a write that is in no hurry is answered once the log is flushed, and others go on meanwhile', async () => {
  await using opened = await openDatabase()
  const { write, hosts, flush, mode } = opened
  const flushed = Promise.withResolvers<void>()
  flush.log = () => flushed.promise
  const answered: string[] = []
  const soon = write('soon', null, 'soon').then(() => answered.push('soon'))
  await vi.waitFor(() => expect(flush.times).toBe(1))
  expect(mode()).toBe(1)
  await write('now').then(() => answered.push('now'))
  expect(mode()).toBe(2)
  expect(flush.times).toBe(1)
  expect(hosts()).toEqual(['now', 'soon'])
  expect(answered).toEqual(['now'])
  const drained = opened.commits.drained().then(() => answered.push('drained'))
  flushed.resolve()
  await Promise.all([soon, drained])
  expect(answered).toEqual(['now', 'soon', 'drained'])
})

test('those who come while the log is flushed share the next flush', async () => {
  await using opened = await openDatabase()
  const { write, hosts, flush } = opened
  const flushed = Promise.withResolvers<void>()
  flush.log = () => flushed.promise
  const first = write('first', null, 'soon')
  await vi.waitFor(() => expect(flush.times).toBe(1))
  const others: Promise<unknown>[] = []
  for (const host of ['a', 'b', 'c']) {
    others.push(write(host, null, 'soon'))
    await vi.waitFor(() => expect(hosts()).toContain(host))
  }
  flushed.resolve()
  await Promise.all([first, ...others])
  expect(flush.times).toBe(2)
})

test('who is in a hurry makes the commit that he shares one that flushes', async () => {
  await using opened = await openDatabase()
  const { write, flush, mode } = opened
  await Promise.all([write('soon', null, 'soon'), write('now')])
  expect(mode()).toBe(2)
  expect(flush.times).toBe(0)
})

test('a log that cannot be flushed is told to who waits for it, and the next ones are tried anew', async () => {
  await using opened = await openDatabase()
  const { write, flush } = opened
  flush.log = () => Promise.reject(new Error('EIO: i/o error, fdatasync'))
  await expect(write('a', null, 'soon')).rejects.toMatchObject({ code: 'store.unavailable', retryable: true })
  flush.log = async () => {}
  await write('b', null, 'soon')
})
