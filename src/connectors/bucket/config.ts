// What the registry record of a bucket host holds: where the bucket is. Credentials come from the store's own standard chain.

import { z } from 'zod'
import { failure } from '../../contract/errors.ts'
import { isLoopback } from '../../wire/loopback.ts'

/** s3://NAME, gs://NAME or file:///DIRECTORY. With a slash at its end it is the same directory. */
const BucketUrl = z
  .string()
  .regex(/^(?:(?:s3|gs):\/\/[a-z0-9][a-z0-9._-]{1,220}|file:\/\/\/[^\0]*)$/, {
    error: 'a bucket is written s3://NAME, gs://NAME or file:///DIRECTORY',
  })
  .overwrite((url) => url.replace(/^(file:\/\/\/.*[^/])\/+$/s, '$1'))

const BucketPrefix = z
  .string()
  .max(256)
  .regex(/^[A-Za-z0-9][A-Za-z0-9_-]*(?:[./][A-Za-z0-9_-]+)*$/, {
    error: 'a prefix is letters, digits, "_", "-", with "." or "/" between them',
  })

/** Where the objects of one host are. */
export const BucketPlace = z.strictObject({
  bucket: BucketUrl,
  prefix: BucketPrefix.optional(),
  endpoint: z.url({ protocol: /^https?$/ }).optional(),
  /** Permits an http:// endpoint beyond this machine: whoever carries the bytes can then read commands and output. */
  insecure: z.boolean().optional(),
})
export type BucketPlace = z.output<typeof BucketPlace>

export const BucketConfig = BucketPlace.extend({
  kind: z.literal('bucket'),
  /** How often the hub looks while nothing is awaited. */
  intervalMs: z.int().min(100).max(3_600_000).optional(),
})
export type BucketConfig = z.output<typeof BucketConfig>

/** Throws `link.insecure` for an http:// endpoint beyond this machine. */
export function refusePlaintext({ endpoint, insecure }: BucketPlace): void {
  if (endpoint === undefined || insecure) return
  const { protocol, hostname, origin } = new URL(endpoint)
  if (protocol === 'http:' && !isLoopback(hostname)) throw failure('link.insecure', { url: origin })
}
