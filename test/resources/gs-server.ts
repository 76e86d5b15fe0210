// A Google Cloud Storage server: enough of the JSON API for what Muster asks, in memory, strongly consistent.

import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface GsServer extends AsyncDisposable {
  readonly endpoint: string
  /** Each next request is answered with one of these, before it has done anything, until there is none left. */
  readonly failWith: number[]
  /** What the store says then, as it is sent. */
  failure: Sent
  readonly objects: ReadonlyMap<string, Sent>
  /** What requests have shown to prove who asks; nothing of those that have shown nothing. */
  readonly shown: ReadonlySet<string>
  /** As who has the credentials can. */
  write(key: string, sent: Sent): void
}

interface Sent {
  readonly bytes: Buffer
  /** The Content-Encoding that the object was put with. */
  readonly encoding?: string
}

const pageSize = 1000

export async function startGs(): Promise<GsServer> {
  const stored = new Map<string, Sent & { generation: number }>()
  const failWith: number[] = []
  const shown = new Set<string>()
  let told: Sent = { bytes: Buffer.from('busy') }
  let generation = 0

  function send(response: ServerResponse, status: number, { bytes, encoding }: Sent): void {
    response.writeHead(status, { 'content-length': bytes.length, ...(encoding && { 'content-encoding': encoding }) }).end(bytes)
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://gs')
    if (request.headers.authorization) shown.add(request.headers.authorization)
    const parts: Buffer[] = []
    for await (const part of request) parts.push(part as Buffer)
    const key = decodeURIComponent(url.pathname.split('/o/')[1] ?? '')
    const failure = failWith.shift()
    const found = stored.get(key)
    if (failure !== undefined) send(response, failure, told)
    else if (request.method === 'POST') upload(url, Buffer.concat(parts), response)
    else if (request.method === 'DELETE') response.writeHead(stored.delete(key) ? 204 : 404).end()
    else if (key === '') response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(list(url)))
    else if (found) send(response, 200, found)
    else response.writeHead(404).end('Not Found')
  }

  function upload(url: URL, bytes: Buffer, response: ServerResponse): void {
    const name = url.searchParams.get('name') ?? ''
    const wanted = url.searchParams.get('ifGenerationMatch')
    if (wanted !== null && Number(wanted) !== (stored.get(name)?.generation ?? 0)) return void response.writeHead(412).end('{}')
    stored.set(name, { bytes, generation: ++generation })
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ name, generation: String(generation) }))
  }

  function list(url: URL) {
    const prefix = url.searchParams.get('prefix') ?? ''
    const after = url.searchParams.get('pageToken') ?? ''
    const names = [...stored.keys()].filter((name) => name.startsWith(prefix) && name > after).sort()
    const page = names.slice(0, pageSize)
    const items = page.map((name) => ({
      name,
      generation: String(stored.get(name)?.generation),
      size: String(stored.get(name)?.bytes.length),
    }))
    return { ...(items.length > 0 && { items }), ...(names.length > pageSize && { nextPageToken: page.at(-1) }) }
  }

  const server = createServer((request, response) => {
    answer(request, response).catch((error) => response.writeHead(500).end(String(error)))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    failWith,
    get failure() {
      return told
    },
    set failure(sent) {
      told = sent
    },
    objects: stored,
    shown,
    write: (key, sent) => void stored.set(key, { ...sent, generation: ++generation }),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
