// Which store a bucket's URL means. What a store's client needs is loaded only when such a bucket is used.

import { randomBytes } from 'node:crypto'
import { failure } from '../../contract/errors.ts'
import { type BucketPlace, refusePlaintext } from './config.ts'
import type { Objects } from './objects.ts'

/** Asks nobody yet. Throws `link.insecure`. */
export async function openObjects(place: BucketPlace): Promise<Objects> {
  refusePlaintext(place)
  const { bucket, prefix = '', endpoint } = place
  const below = prefix === '' ? '' : `${prefix}/`
  if (bucket.startsWith('file:')) return (await import('./file-objects.ts')).fileObjects(bucket, below)
  const where = { bucket: new URL(bucket).hostname, below, ...(endpoint !== undefined && { endpoint }) }
  if (bucket.startsWith('gs:')) return (await import('./gs-objects.ts')).gsObjects(where)
  return (await import('./s3-objects.ts')).s3Objects(where)
}

/** Throws `bucket.unsafe` where an object can be made twice: two workers would then carry out one job. Also finds a bucket that cannot be used. */
export async function requireConditionalPut(objects: Objects, { bucket }: BucketPlace): Promise<void> {
  const key = `probe/${randomBytes(12).toString('hex')}`
  const first = await objects.putIfAbsent(key, Buffer.from('1'))
  const second = await objects.putIfAbsent(key, Buffer.from('2'))
  await objects.delete(key)
  if (!first || second) throw failure('bucket.unsafe', { bucket })
}
