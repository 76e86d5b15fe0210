// Where a bucket host's objects are, as one text: two hosts for which it is the same would take each other's objects.

import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { BucketPlace } from './config.ts'

export function placeText({ bucket, prefix = '', endpoint }: BucketPlace): string {
  // A directory below another one may be said in two ways.
  if (bucket.startsWith('file:')) return pathToFileURL(join(fileURLToPath(bucket), prefix)).href.replace(/\/+$/, '')
  const place = prefix === '' ? bucket : `${bucket}/${prefix}`
  return endpoint === undefined ? place : `${place} at ${new URL(endpoint).href.replace(/\/+$/, '')}`
}
