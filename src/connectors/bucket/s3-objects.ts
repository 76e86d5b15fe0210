// A bucket of S3, or of what speaks like it. Credentials come from the chain of the AWS SDK: environment, ~/.aws, the machine's role.

import {
  DeleteObjectCommand,
  GetObjectCommand,
  NoSuchKey,
  PutObjectCommand,
  paginateListObjectsV2,
  S3Client,
  S3ServiceException,
} from '@aws-sdk/client-s3'
import { failure } from '../../contract/errors.ts'
import type { Objects } from './objects.ts'

const attempts = 5
const connectMs = 5_000
const silentMs = 15_000
/** A connection that nobody has used for so long may have died unseen: it is closed, and not tried. */
const idleMs = 5_000
/** Where the store knows no regions, one has to be named all the same. */
const anyRegion = 'us-east-1'

export function s3Objects({ bucket, below, endpoint }: { bucket: string; below: string; endpoint?: string }): Objects {
  const client = new S3Client({
    maxAttempts: attempts,
    // A connection on which nothing comes is given up, and the request sent again.
    requestHandler: {
      connectionTimeout: connectMs,
      socketTimeout: silentMs,
      // Else each attempt finds the next one of a pool that has died as a whole, a silence each.
      httpAgent: { timeout: idleMs },
      httpsAgent: { timeout: idleMs },
    },
    // Stores that are not Amazon's know neither its host names nor its newest checksums.
    ...(endpoint !== undefined && {
      endpoint,
      forcePathStyle: true,
      region: process.env.AWS_REGION ?? anyRegion,
      requestChecksumCalculation: 'WHEN_REQUIRED',
      responseChecksumValidation: 'WHEN_REQUIRED',
    }),
  })

  async function ask<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      throw failure('bucket.unavailable', { bucket: `s3://${bucket}`, problem: inWords(error) }, { cause: error })
    }
  }

  const at = (key: string) => ({ Bucket: bucket, Key: `${below}${key}` })

  return {
    async put(key, bytes) {
      await ask(() => client.send(new PutObjectCommand({ ...at(key), Body: bytes })))
    },
    putIfAbsent: (key, bytes) =>
      ask(async () => {
        for (let attempt = 1; ; attempt++) {
          try {
            await client.send(new PutObjectCommand({ ...at(key), Body: bytes, IfNoneMatch: '*' }))
            return true
          } catch (error) {
            if (statusOf(error) === 412) return false
            // Another was writing it at that moment, and may have failed.
            if (statusOf(error) !== 409 || attempt === attempts) throw error
          }
        }
      }),
    get: (key, maxBytes) =>
      ask(async () => {
        try {
          const { Body, ContentLength = Infinity } = await client.send(new GetObjectCommand(at(key)))
          const body = ContentLength > maxBytes ? undefined : await Body?.transformToByteArray()
          // What is not read must not keep its connection.
          if (body === undefined) await Body?.transformToWebStream().cancel()
          return body
        } catch (error) {
          if (error instanceof NoSuchKey || statusOf(error) === 404) return undefined
          throw error
        }
      }),
    async *list(prefix) {
      const pages = paginateListObjectsV2({ client }, { Bucket: bucket, Prefix: `${below}${prefix}` })[Symbol.asyncIterator]()
      for (;;) {
        const page = await ask(() => pages.next())
        if (page.done) return
        for (const { Key = '', ETag = '', Size = 0 } of page.value.Contents ?? [])
          yield { key: Key.slice(below.length), tag: ETag, size: Size }
      }
    },
    async delete(key) {
      await ask(() => client.send(new DeleteObjectCommand(at(key))))
    },
  }
}

function statusOf(error: unknown): number | undefined {
  return error instanceof S3ServiceException ? error.$metadata.httpStatusCode : undefined
}

function inWords(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const name = error.name === 'Error' ? '' : `${error.name}: `
  return `${name}${error.message}`.replace(/\.$/, '')
}
