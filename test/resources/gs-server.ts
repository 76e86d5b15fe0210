// A Google Cloud Storage server: enough of the JSON API for what Muster asks, in memory, strongly consistent.

import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface GsServer extends AsyncDisposable {
  readonly endpoint: string
  /** Each next request is answered with one of these, before it has done anything, until there is none left. */
  readonly failWith: number[]
}

const pageSize = 1000

export async function startGs(): Promise<GsServer> {
  const stored = new Map<string, { bytes: Buffer; generation: number }>()
  const failWith: number[] = []
  let generation = 0

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://gs')
    const parts: Buffer[] = []
    for await (const part of request) parts.push(part as Buffer)
    const key = decodeURIComponent(url.pathname.split('/o/')[1] ?? '')
    const failure = failWith.shift()
    if (failure !== undefined) response.writeHead(failure).end('busy')
    else if (request.method === 'POST') upload(url, Buffer.concat(parts), response)
    else if (request.method === 'DELETE') response.writeHead(stored.delete(key) ? 204 : 404).end()
    else if (key === '') response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(list(url)))
    else if (stored.has(key))
      response.writeHead(200, { 'content-length': stored.get(key)?.bytes.length }).end(stored.get(key)?.bytes)
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
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
