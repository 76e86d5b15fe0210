// An S3 server that can misbehave: enough of the protocol for what Muster asks (path style, ListObjectsV2, conditional puts), in memory.
// Objects are strongly consistent, as Amazon's and Ceph's are; listings may be late, repeat keys, or fail, if a test says so.

import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface Faults {
  /** A listing shows the bucket as it was so long ago. */
  listDelayMs: number
  /** One listed key in so many is listed twice. 0: none. */
  listTwiceEvery: number
  /** Any request is answered 503 with this probability, before it has done anything. */
  unavailable: number
  /** A conditional put is answered 409 with this probability, before it has done anything. */
  conflict: number
  /** A put is carried out and its answer replaced by a 500 with this probability. */
  lostAnswer: number
  latencyMs: number
  random: () => number
}

export interface S3Server extends AsyncDisposable {
  readonly endpoint: string
  readonly faults: Faults
  /** Requests served, by what they were: `PUT`, `PUT if absent`, `GET`, `LIST`, `DELETE`. */
  readonly counts: Map<string, number>
  readonly objects: ReadonlyMap<string, Buffer>
  /** The ids of the keys that requests were signed with. */
  readonly accessKeys: ReadonlySet<string>
  /** As who has the credentials can. */
  write(key: string, bytes: Buffer): void
  remove(key: string): void
}

interface Stored {
  readonly bytes: Buffer
  readonly etag: string
}

const pageSize = 1000
const keepHistoryMs = 60_000

export async function startS3(faults: Partial<Faults> = {}): Promise<S3Server> {
  const given: Faults = {
    listDelayMs: 0,
    listTwiceEvery: 0,
    unavailable: 0,
    conflict: 0,
    lostAnswer: 0,
    latencyMs: 0,
    random: Math.random,
    ...faults,
  }
  const stored = new Map<string, Stored>()
  const plain = new Map<string, Buffer>()
  /** What each change took away, so that listings can show the past. */
  let history: { atMs: number; key: string; before: Stored | undefined }[] = []
  const counts = new Map<string, number>()
  const accessKeys = new Set<string>()

  function change(key: string, next: Stored | undefined): void {
    const now = performance.now()
    if (given.listDelayMs > 0) {
      history.push({ atMs: now, key, before: stored.get(key) })
      if (history.length % 1000 === 0) history = history.filter(({ atMs }) => atMs > now - keepHistoryMs)
    }
    if (next) {
      stored.set(key, next)
      plain.set(key, next.bytes)
    } else {
      stored.delete(key)
      plain.delete(key)
    }
  }

  const asStored = (bytes: Buffer): Stored => ({ bytes, etag: `"${createHash('md5').update(bytes).digest('hex')}"` })

  function visible(): Map<string, Stored> {
    if (given.listDelayMs === 0) return stored
    const then = performance.now() - given.listDelayMs
    const past = new Map(stored)
    for (let i = history.length - 1; i >= 0; i--) {
      const { atMs, key, before } = history[i] as (typeof history)[number]
      if (atMs <= then) break
      if (before) past.set(key, before)
      else past.delete(key)
    }
    return past
  }

  function list(url: URL): string {
    const prefix = url.searchParams.get('prefix') ?? ''
    const after = url.searchParams.get('continuation-token') ?? url.searchParams.get('start-after') ?? ''
    const size = Math.min(pageSize, Number(url.searchParams.get('max-keys') ?? pageSize))
    const keys = [...visible()].filter(([key]) => key.startsWith(prefix) && key > after).sort(([a], [b]) => (a < b ? -1 : 1))
    const page = keys.slice(0, size)
    const twice = given.listTwiceEvery
    const shown = page.flatMap((one, i) => (twice > 0 && i % twice === 0 ? [one, one] : [one]))
    const contents = shown.map(
      ([key, { bytes, etag }]) =>
        `<Contents><Key>${escapeXml(key)}</Key><ETag>${escapeXml(etag)}</ETag><Size>${bytes.byteLength}</Size></Contents>`,
    )
    const next = keys.length > size ? `<NextContinuationToken>${escapeXml(page.at(-1)?.[0] ?? '')}</NextContinuationToken>` : ''
    return `<ListBucketResult><IsTruncated>${next !== ''}</IsTruncated><KeyCount>${shown.length}</KeyCount>${next}${contents.join('')}</ListBucketResult>`
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://s3')
    const key = decodeURIComponent(url.pathname).replace(/^\/[^/]+\/?/, '')
    accessKeys.add(/Credential=([^/]+)/.exec(request.headers.authorization ?? '')?.[1] ?? 'none')
    const ifNoneMatch = request.headers['if-none-match']
    const what = request.method === 'GET' && key === '' ? 'LIST' : `${request.method}${ifNoneMatch ? ' if absent' : ''}`
    counts.set(what, (counts.get(what) ?? 0) + 1)
    const body = await bodyOf(request)
    if (given.latencyMs > 0) await new Promise((resolve) => setTimeout(resolve, given.random() * given.latencyMs))
    if (given.random() < given.unavailable) return fail(response, 503, 'SlowDown')
    const found = stored.get(key)
    if (request.method === 'PUT') {
      if (ifNoneMatch && given.random() < given.conflict) return fail(response, 409, 'ConditionalRequestConflict')
      if (ifNoneMatch && found) return fail(response, 412, 'PreconditionFailed')
      const fresh = asStored(body)
      change(key, fresh)
      if (given.random() < given.lostAnswer) return fail(response, 500, 'InternalError')
      response.writeHead(200, { etag: fresh.etag }).end()
    } else if (request.method === 'DELETE') {
      change(key, undefined)
      response.writeHead(204).end()
    } else if (what === 'LIST') {
      response.writeHead(200, { 'content-type': 'application/xml' }).end(list(url))
    } else if (found) {
      response.writeHead(200, { etag: found.etag, 'content-length': found.bytes.byteLength }).end(found.bytes)
    } else fail(response, 404, 'NoSuchKey')
  }

  const server = createServer((request, response) => {
    answer(request, response).catch((error) => fail(response, 500, String(error)))
  })
  server.keepAliveTimeout = 60_000
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    faults: given,
    counts,
    objects: plain,
    accessKeys,
    write: (key, bytes) => change(key, asStored(bytes)),
    remove: (key) => change(key, undefined),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

/** What the AWS SDK reads its credentials from; any will do. */
export const s3Credentials = { AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'test', AWS_REGION: 'us-east-1' }

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = []
  for await (const part of request) parts.push(part as Buffer)
  const body = Buffer.concat(parts)
  return request.headers['content-encoding'] === 'aws-chunked' || request.headers['x-amz-decoded-content-length']
    ? unchunk(body)
    : body
}

/** Bodies that the SDK streams come in signed chunks: `size;chunk-signature=…\r\n bytes \r\n`. */
function unchunk(body: Buffer): Buffer {
  const parts: Buffer[] = []
  for (let at = 0; ; ) {
    const end = body.indexOf('\r\n', at)
    const size = Number.parseInt(body.toString('latin1', at, end), 16)
    if (end === -1 || !(size > 0)) return Buffer.concat(parts)
    parts.push(body.subarray(end + 2, end + 2 + size))
    at = end + 2 + size + 2
  }
}

function fail(response: ServerResponse, status: number, code: string): void {
  response
    .writeHead(status, { 'content-type': 'application/xml' })
    .end(`<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code><Message>${code}</Message></Error>`)
}

function escapeXml(text: string): string {
  return text.replace(/[&<>"]/g, (one) => `&#${one.charCodeAt(0)};`)
}
