// What a dead-drop needs of a store, asked of each kind of store.

import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdir, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { gzipSync } from 'node:zlib'
import { beforeEach, describe, expect, test } from 'vitest'
import { BucketPlace } from '../../../src/connectors/bucket/config.ts'
import { largestObjectBytes } from '../../../src/connectors/bucket/messages.ts'
import { openObjects, requireConditionalPut } from '../../../src/connectors/bucket/open-objects.ts'
import { refuseUnsafe } from '../../../src/connectors/config.ts'
import { startGs } from '../../resources/gs-server.ts'
import { makeHome } from '../../resources/home.ts'
import { missingRgw, startRgw } from '../../resources/rgw.ts'
import { s3Credentials, startS3 } from '../../resources/s3-server.ts'

interface Store extends AsyncDisposable {
  readonly place: BucketPlace
}

interface KindOfStore {
  /** Why it cannot be tried on this machine. */
  readonly missing?: string | undefined
  open(): Promise<Store>
}

/** No credentials of this machine's are looked for, and no metadata server. */
const noGoogle = { METADATA_SERVER_DETECTION: 'none', GOOGLE_APPLICATION_CREDENTIALS: '' }

async function openDirectory(): Promise<Store> {
  const home = await makeHome()
  return {
    place: { bucket: pathToFileURL(home.path).href, prefix: 'a/b' },
    [Symbol.asyncDispose]: () => home[Symbol.asyncDispose](),
  }
}

const stores: Record<string, KindOfStore> = {
  file: { open: openDirectory },
  s3: {
    async open() {
      Object.assign(process.env, s3Credentials)
      const server = await startS3({ unavailable: 0.02, conflict: 0.02 })
      const place = { bucket: 's3://drop', prefix: 'a/b', endpoint: server.endpoint }
      return { place, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() }
    },
  },
  gs: {
    async open() {
      Object.assign(process.env, noGoogle)
      const server = await startGs()
      server.failWith.push(503, 429)
      const place = { bucket: 'gs://drop', prefix: 'a/b', endpoint: server.endpoint }
      return { place, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() }
    },
  },
  "Ceph's gateway": {
    missing: missingRgw(),
    async open() {
      Object.assign(process.env, s3Credentials)
      const server = await startRgw()
      const place = { bucket: 's3://drop', prefix: 'a/b', endpoint: server.endpoint }
      return { place, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() }
    },
  },
}

describe.each(Object.entries(stores))('%s', (_name, { open, missing }) => {
  beforeEach(({ skip }) => {
    if (missing !== undefined) skip(missing)
  })

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

  test('what is not there is neither got nor listed, and can be deleted', async () => {
    await using store = await open()
    const objects = await openObjects(store.place)
    expect(await objects.get('up/w/beat', 100)).toBeUndefined()
    expect(await Array.fromAsync(objects.list('up/'))).toEqual([])
    await objects.delete('up/w/beat')
    await objects.put('up/w/000000000001', Buffer.from('x'))
    expect(await objects.get('up/w', 100)).toBeUndefined()
    expect(await objects.get('up/w/00000000000', 100)).toBeUndefined()
  })

  test('what was made once can be made anew after it is deleted, and is not made over what was put', async () => {
    await using store = await open()
    const objects = await openObjects(store.place)
    await objects.put('q/claim/r~1', Buffer.from('put'))
    expect(await objects.putIfAbsent('q/claim/r~1', Buffer.from('made'))).toBe(false)
    expect(String(Buffer.from((await objects.get('q/claim/r~1', 9)) ?? ''))).toBe('put')
    await objects.delete('q/claim/r~1')
    expect(await objects.putIfAbsent('q/claim/r~1', Buffer.from('made'))).toBe(true)
    await objects.put('q/claim/r~1', Buffer.from('renewed'))
    expect(String(Buffer.from((await objects.get('q/claim/r~1', 9)) ?? ''))).toBe('renewed')
  })

  test('the largest object comes back as it was, and one byte more is not read', async () => {
    await using store = await open()
    const objects = await openObjects(store.place)
    const bytes = randomBytes(largestObjectBytes)
    await objects.put('up/w/000000000001', bytes)
    const got = await objects.get('up/w/000000000001', largestObjectBytes)
    expect(got && bytes.equals(got)).toBe(true)
    for (let i = 0; i < 60; i++) expect(await objects.get('up/w/000000000001', largestObjectBytes - 1)).toBeUndefined()
    // What was not read has kept no connection: there are fewer than sixty.
    expect(await objects.get('up/w/000000000002', 1)).toBeUndefined()
  })

  test('a key may have every character that a run id may have', async () => {
    await using store = await open()
    const objects = await openObjects(store.place)
    const keys = ['q/job/A-b_c.d', `q/job/${'x'.repeat(128)}`, 'q/job/a', 'q/job/a.b', 'q/claim/a.b~1', 'q/claim/a.b~10']
    for (const key of keys) expect(await objects.putIfAbsent(key, Buffer.from(key))).toBe(true)
    expect((await Array.fromAsync(objects.list('q/'))).map(({ key }) => key).sort()).toEqual([...keys].sort())
    for (const key of keys) expect(String(Buffer.from((await objects.get(key, 200)) ?? ''))).toBe(key)
  })
})

test('an object that unpacks to more than may be read is not read', async () => {
  Object.assign(process.env, noGoogle)
  await using server = await startGs()
  const objects = await openObjects({ bucket: 'gs://drop', endpoint: server.endpoint })
  const mebibyte = 1024 * 1024
  server.write('up/w/beat', { bytes: gzipSync(Buffer.alloc(64 * mebibyte)), encoding: 'gzip' })
  expect((await objects.get('up/w/beat', mebibyte))?.byteLength).toBeUndefined()
  server.write('up/w/beat', { bytes: gzipSync('told'), encoding: 'gzip' })
  expect(String(Buffer.from((await objects.get('up/w/beat', mebibyte)) ?? ''))).toBe('told')
})

test('of what a store says of a failure only its beginning is read and told', async () => {
  Object.assign(process.env, noGoogle)
  await using server = await startGs()
  const objects = await openObjects({ bucket: 'gs://drop', endpoint: server.endpoint })
  server.failure = { bytes: Buffer.from(`forbidden ${'x'.repeat(1_000)}`) }
  server.failWith.push(403)
  await expect(objects.get('q/done', 100)).rejects.toThrow(/it answered 403 forbidden x{190}\.$/)
  server.failure = { bytes: gzipSync(Buffer.alloc(64 * 1024 * 1024, 'x')), encoding: 'gzip' }
  server.failWith.push(403)
  await expect(objects.get('q/done', 100)).rejects.toThrow(/it answered 403 x{200}\.$/)
})

test('a store that lets an object be made twice is refused', async () => {
  await using store = await openDirectory()
  const objects = await openObjects(store.place)
  const careless = { ...objects, putIfAbsent: async () => true }
  await expect(requireConditionalPut(careless, store.place)).rejects.toMatchObject({ code: 'bucket.unsafe' })
})

test('a directory that is not there is not made: a share may not be mounted', async () => {
  await using home = await makeHome()
  const objects = await openObjects({ bucket: pathToFileURL(join(home.path, 'share')).href })
  const refused = { code: 'bucket.unavailable', message: expect.stringContaining('/share: there is no such file or directory') }
  await expect(objects.put('q/done', Buffer.from('x'))).rejects.toMatchObject(refused)
  await expect(objects.get('q/done', 100)).rejects.toMatchObject(refused)
})

test.each([
  ['file:///srv/drop/', 'file:///srv/drop'],
  ['file:///srv/drop//', 'file:///srv/drop'],
  ['file:///', 'file:///'],
  ['s3://drop', 's3://drop'],
])('the bucket that is written %s is %s', (written, meant) => {
  expect(BucketPlace.parse({ bucket: written })).toEqual({ bucket: meant })
})

test.each(['http://store.example:9000', 'http://192.0.2.1'])('%s is a store beyond this machine: refused', async (endpoint) => {
  for (const bucket of ['s3://drop', 'gs://drop']) {
    await expect(openObjects({ bucket, endpoint })).rejects.toMatchObject({ code: 'link.insecure' })
    expect(() => refuseUnsafe({ kind: 'bucket', bucket, endpoint })).toThrow(expect.objectContaining({ code: 'link.insecure' }))
    await openObjects({ bucket, endpoint, insecure: true })
    await openObjects({ bucket, endpoint: endpoint.replace('http:', 'https:') })
  }
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
