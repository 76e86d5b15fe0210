// Credentials come from each store's own chain, on both sides, and are kept nowhere: a whole host by each.

import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { startGoogleTokens } from '../../resources/google-tokens.ts'
import { startGs } from '../../resources/gs-server.ts'
import { makeHome } from '../../resources/home.ts'
import { startS3 } from '../../resources/s3-server.ts'
import { type BucketHub, openBucketHub } from './fixture.ts'

const anyOf = ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN', 'AWS_PROFILE', 'AWS_REGION']

/** For this process and those that it starts. */
function environment(set: Readonly<Record<string, string>>): void {
  for (const name of anyOf) vi.stubEnv(name, undefined)
  for (const [name, value] of Object.entries(set)) vi.stubEnv(name, value)
  onTestFinished(() => void vi.unstubAllEnvs())
}

async function runsOnce(bucket: BucketHub, box: string): Promise<void> {
  bucket.worker(box)
  const run = await bucket.submit(['/bin/sh', '-c', 'echo carried'])
  expect(await bucket.endOf(run.id)).toMatchObject({ state: 'succeeded' })
  expect(await bucket.output(run.id)).toBe('carried\n')
}

async function filesBelow(dir: string): Promise<Map<string, Buffer>> {
  const entries = await readdir(dir, { recursive: true, withFileTypes: true })
  const paths = entries.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name))
  const read = paths.map(async (path) => {
    // What is being replaced is gone under its first name a moment later.
    const bytes = await readFile(path).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error
    })
    return bytes ? [[path, bytes] as const] : []
  })
  return new Map((await Promise.all(read)).flat())
}

function expectNone(secrets: readonly string[], texts: Iterable<readonly [string, Buffer]>): void {
  const found = [...texts].flatMap(([name, bytes]) => (secrets.some((secret) => bytes.includes(secret)) ? [name] : []))
  expect(found).toEqual([])
}

test('S3: those of the shared credentials file, and they are kept nowhere', async () => {
  await using store = await startS3()
  await using mine = await makeHome()
  const file = join(mine.path, 'credentials')
  const [id, secret] = ['AKIAOFTHEFILE', 'wJalrXUtnFEMI/of+the/file']
  await writeFile(file, `[default]\naws_access_key_id = ${id}\naws_secret_access_key = ${secret}\n`, { mode: 0o600 })
  environment({ AWS_SHARED_CREDENTIALS_FILE: file, AWS_CONFIG_FILE: join(mine.path, 'none') })
  await using bucket = await openBucketHub({ endpoint: store.endpoint })
  await using box = await makeHome()
  await runsOnce(bucket, box.path)
  expect([...store.accessKeys]).toEqual([id])
  for (const home of [bucket.hub.home, box.path]) expectNone([id, secret], await filesBelow(home))
  expectNone([id, secret], store.objects)
})

test("Google's: those of a service account's file, and neither its key nor its tokens are kept", async () => {
  await using google = await startGoogleTokens()
  environment(google.env)
  await using store = await startGs()
  await using bucket = await openBucketHub({ bucket: 'gs://drop', endpoint: store.endpoint })
  await using box = await makeHome()
  await runsOnce(bucket, box.path)
  expect([...store.shown]).toEqual([`Bearer ${google.token}`])
  // The hub's and the worker's.
  expect(google.given()).toBe(2)
  const secrets = [google.token, ...google.keyLines]
  for (const home of [bucket.hub.home, box.path]) expectNone(secrets, await filesBelow(home))
  expectNone(
    secrets,
    [...store.objects].map(([key, { bytes }]) => [key, bytes] as const),
  )
})
