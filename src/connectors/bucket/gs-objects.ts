// A bucket of Google Cloud Storage, by its JSON API. Credentials come from Google's own chain: GOOGLE_APPLICATION_CREDENTIALS, gcloud's,
// the machine's. Only those are a library's; the four requests are plain ones.

import { GoogleAuth } from 'google-auth-library'
import { z } from 'zod'
import { failure } from '../../contract/errors.ts'
import { pause } from '../../contract/pause.ts'
import { largestObjectBytes } from './messages.ts'
import type { Objects } from './objects.ts'

const google = 'https://storage.googleapis.com'
const scope = 'https://www.googleapis.com/auth/devstorage.read_write'
const attempts = 5
const firstAgainMs = 200
const requestMs = 60_000
/** Of what the store says of a failure, so much is told. */
const problemLetters = 200

const Page = z.object({
  items: z.array(z.object({ name: z.string(), generation: z.string(), size: z.coerce.number() })).default([]),
  nextPageToken: z.string().optional(),
})

export function gsObjects({ bucket, below, endpoint }: { bucket: string; below: string; endpoint?: string }): Objects {
  const auth = new GoogleAuth({ scopes: scope })
  const base = endpoint?.replace(/\/$/, '') ?? google
  const objectUrl = (key: string) => `${base}/storage/v1/b/${bucket}/o/${encodeURIComponent(below + key)}`
  const uploadUrl = (key: string) =>
    `${base}/upload/storage/v1/b/${bucket}/o?uploadType=media&name=${encodeURIComponent(below + key)}`
  const unavailable = (problem: string, cause?: unknown) =>
    failure('bucket.unavailable', { bucket: `gs://${bucket}`, problem }, { cause })

  /** One request and what `read` makes of its answer, again while the store is busy. Statuses in `fine` are answers; any other is thrown. */
  async function ask<T>(
    method: string,
    url: string,
    fine: readonly number[],
    read: (response: Response) => Promise<T>,
    body?: Uint8Array<ArrayBuffer>,
  ): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        const headers = await credentials(url)
        const response = await fetch(url, { method, headers, signal: AbortSignal.timeout(requestMs), ...(body && { body }) })
        if (response.ok || fine.includes(response.status)) return await read(response)
        const problem = `it answered ${response.status} ${await beginningOf(response)}`.trimEnd()
        if ((response.status < 500 && response.status !== 429) || attempt === attempts) throw unavailable(problem)
      } catch (error) {
        if (!(error instanceof TypeError) || attempt === attempts)
          throw error instanceof Error && error.name !== 'MusterError' ? unavailable(error.message, error) : error
      }
      await pause(firstAgainMs * 2 ** attempt * Math.random(), never)
    }
  }

  /** None for a store of another address where the chain has none: what is not Google's may want none. */
  async function credentials(url: string): Promise<Headers> {
    try {
      return await auth.getRequestHeaders(url)
    } catch (error) {
      if (endpoint !== undefined) return new Headers()
      throw error
    }
  }

  const put = (url: string, fine: readonly number[], bytes: Uint8Array) => ask('POST', url, fine, isDone, new Uint8Array(bytes))

  return {
    async put(key, bytes) {
      await put(uploadUrl(key), [], bytes)
    },
    putIfAbsent: (key, bytes) => put(`${uploadUrl(key)}&ifGenerationMatch=0`, [412], bytes),
    get: (key, maxBytes) => ask('GET', `${objectUrl(key)}?alt=media`, [404], (response) => bytesOf(response, maxBytes)),
    async *list(prefix) {
      for (let token: string | undefined = ''; token !== undefined; ) {
        const query = new URLSearchParams({
          prefix: below + prefix,
          fields: 'items(name,generation,size),nextPageToken',
          ...(token && { pageToken: token }),
        })
        const url = `${base}/storage/v1/b/${bucket}/o?${query}`
        const page = await ask('GET', url, [], pageOf)
        for (const { name, generation, size } of page.items) yield { key: name.slice(below.length), tag: generation, size }
        token = page.nextPageToken
      }
    },
    async delete(key) {
      await ask('DELETE', objectUrl(key), [404], isDone)
    },
  }
}

/** What is not read must not keep its connection. */
async function isDone(response: Response): Promise<boolean> {
  await response.body?.cancel()
  return response.ok
}

async function bytesOf(response: Response, maxBytes: number): Promise<Uint8Array | undefined> {
  if (response.ok && Number(response.headers.get('content-length')) <= maxBytes) return await readUpTo(response, maxBytes)
  await response.body?.cancel()
  return undefined
}

async function pageOf(response: Response): Promise<z.output<typeof Page>> {
  const bytes = await readUpTo(response, largestObjectBytes)
  if (!bytes) throw new Error(`a page of its list is larger than ${largestObjectBytes} bytes`)
  return Page.parse(JSON.parse(Buffer.from(bytes).toString()))
}

async function beginningOf(response: Response): Promise<string> {
  let text = ''
  for await (const part of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
    text += part
    if (text.length >= problemLetters) break
  }
  return text.slice(0, problemLetters)
}

/** Undefined when it is more. Counted as it comes: what a header says is the size before fetch unpacks it. */
async function readUpTo(response: Response, maxBytes: number): Promise<Uint8Array | undefined> {
  const parts: Uint8Array[] = []
  let size = 0
  // Leaving the loop cancels the body.
  for await (const part of response.body ?? []) {
    size += part.byteLength
    if (size > maxBytes) return undefined
    parts.push(part)
  }
  return Buffer.concat(parts)
}

const never = new AbortController().signal
