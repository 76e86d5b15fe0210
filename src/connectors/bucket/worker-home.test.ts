import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { findJoinedBucket, saveJoinedBucket } from './worker-home.ts'

test('of two stores that have a bucket of one name, each is the one that was joined there', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'muster-joined-'))
  onTestFinished(() => rm(dir, { recursive: true }))
  const [one, other] = ['https://one:9000', 'https://other:9000'].map((endpoint) => ({ bucket: 's3://drop', endpoint }))
  if (!one || !other) throw new Error('two places')
  const joined = { hubKey: 'k', joinKey: 'j', introduction: 'i' }
  await saveJoinedBucket(dir, { ...joined, host: 'host_1', place: one })
  expect(await findJoinedBucket(dir, other)).toBeUndefined()
  expect(await findJoinedBucket(dir, { bucket: 's3://drop' })).toBeUndefined()
  await saveJoinedBucket(dir, { ...joined, host: 'host_2', place: other })
  expect(await findJoinedBucket(dir, { ...one, endpoint: 'https://ONE:9000/' })).toMatchObject({ host: 'host_1' })
  expect(await findJoinedBucket(dir, other)).toMatchObject({ host: 'host_2' })
})
