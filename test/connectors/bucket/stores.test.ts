// What a dead-drop needs of a store, asked of each kind of store.

import { execFileSync } from 'node:child_process'
import { mkdir, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { describe, expect, test } from 'vitest'
import type { BucketPlace } from '../../../src/connectors/bucket/config.ts'
import { openObjects, requireConditionalPut } from '../../../src/connectors/bucket/open-objects.ts'
import { startGs } from '../../resources/gs-server.ts'
import { makeHome } from '../../resources/home.ts'
import { s3Credentials, startS3 } from '../../resources/s3-server.ts'

interface Store extends AsyncDisposable {
  readonly place: BucketPlace
}

/** No credentials of this machine's are looked for, and no metadata server. */
const noGoogle = { METADATA_SERVER_DETECTION: 'none', GOOGLE_APPLICATION_CREDENTIALS: '' }

const stores: Record<string, () => Promise<Store>> = {
  async file() {
    const home = await makeHome()
    return {
      place: { bucket: pathToFileURL(home.path).href, prefix: 'a/b' },
      [Symbol.asyncDispose]: () => home[Symbol.asyncDispose](),
    }
  },
  async s3() {
    Object.assign(process.env, s3Credentials)
    const server = await startS3({ unavailable: 0.02, conflict: 0.02 })
    const place = { bucket: 's3://drop', prefix: 'a/b', endpoint: server.endpoint }
    return { place, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() }
  },
  async gs() {
    Object.assign(process.env, noGoogle)
    const server = await startGs()
    server.failWith.push(503, 429)
    const place = { bucket: 'gs://drop', prefix: 'a/b', endpoint: server.endpoint }
    return { place, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() }
  },
}

describe.each(Object.entries(stores))('%s', (_name, open) => {
  test('what is put is got, listed and deleted', async () => {
    await using store = await open()
    const objects = await openObjects(store.place)
    const bytes = Buffer.from([0, 255, 10, 13, 0])
    await objects.put('q/job/run_1', bytes)
    await objects.put('up/w/1', Buffer.from('elsewhere'))
    expect(Buffer.from((await objects.get('q/job/run_1', 5)) ?? '')).toEqual(bytes)
    expect(await objects.get('q/job/run_1', 4)).toBeUndefined()
    expect(await objects.get('q/job/run_2', 5)).toBeUndefined()
    const [listed, ...others] = await Array.fromAsync(objects.list('q/'))
    expect(listed).toMatchObject({ key: 'q/job/run_1', size: 5 })
    expect(others).toEqual([])
    await objects.put('q/job/run_1', Buffer.from('other'))
    const [changed] = await Array.fromAsync(objects.list('q/'))
    expect(changed?.tag).not.toBe(listed?.tag)
    await objects.delete('q/job/run_1')
    await objects.delete('q/job/run_1')
    expect(await Array.fromAsync(objects.list('q/'))).toEqual([])
  })

  test('of many that make one key exactly one does', async () => {
    await using store = await open()
    const objects = await openObjects(store.place)
    await requireConditionalPut(objects, store.place)
    for (let round = 0; round < 5; round++) {
      const made = await Promise.all(
        Array.from({ length: 16 }, (_, i) => objects.putIfAbsent(`q/claim/r~${round}`, Buffer.from(String(i)))),
      )
      const winner = made.indexOf(true)
      expect(made.filter(Boolean)).toHaveLength(1)
      expect(String(Buffer.from((await objects.get(`q/claim/r~${round}`, 9)) ?? ''))).toBe(String(winner))
    }
  })

  test('more than a page is listed whole', async () => {
    await using store = await open()
    const objects = await openObjects(store.place)
    const keys = Array.from({ length: 1_050 }, (_, i) => `q/job/run_${i}`)
    for (let i = 0; i < keys.length; i += 50)
      await Promise.all(keys.slice(i, i + 50).map((key) => objects.put(key, Buffer.from('x'))))
    const found = (await Array.fromAsync(objects.list('q/'))).map(({ key }) => key)
    expect(new Set(found)).toEqual(new Set(keys))
  })
})

test('a store that lets an object be made twice is refused', async () => {
  await using store = await (stores.file as () => Promise<Store>)()
  const objects = await openObjects(store.place)
  const careless = { ...objects, putIfAbsent: async () => true }
  await expect(requireConditionalPut(careless, store.place)).rejects.toMatchObject({ code: 'bucket.unsafe' })
})

test('a directory that is not there is not made: a share may not be mounted', async () => {
  await using home = await makeHome()
  const objects = await openObjects({ bucket: pathToFileURL(join(home.path, 'share')).href })
  await expect(objects.put('q/done', Buffer.from('x'))).rejects.toMatchObject({ code: 'bucket.unavailable' })
})

test('links and pipes in a directory are not followed', async () => {
  await using home = await makeHome()
  const [drop, elsewhere] = [join(home.path, 'drop'), join(home.path, 'elsewhere')]
  await mkdir(join(drop, 'q', 'job'), { recursive: true })
  await mkdir(elsewhere)
  await writeFile(join(elsewhere, 'secret'), 'secret')
  await symlink(join(elsewhere, 'secret'), join(drop, 'q', 'job', 'link'))
  execFileSync('mkfifo', [join(drop, 'q', 'job', 'pipe')])
  const objects = await openObjects({ bucket: pathToFileURL(drop).href })
  expect(await objects.get('q/job/link', 100)).toBeUndefined()
  expect(await objects.get('q/job/pipe', 100)).toBeUndefined()
  expect(await Array.fromAsync(objects.list('q/'))).toEqual([])
  await rm(join(drop, 'q', 'job'), { recursive: true })
  await symlink(elsewhere, join(drop, 'q', 'job'))
  await expect(objects.put('q/job/run_1', Buffer.from('x'))).rejects.toMatchObject({ code: 'bucket.unavailable' })
  await expect(objects.delete('q/job/secret')).rejects.toMatchObject({ code: 'bucket.unavailable' })
})
