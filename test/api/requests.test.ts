// Requests that are wrong, unusual or abandoned, and the API's opening and closing.

import { once } from 'node:events'
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, request } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { pino } from 'pino'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import WebSocket from 'ws'
import { startApi } from '../../src/api/api.ts'
import { failure } from '../../src/contract/errors.ts'
import { followEvents } from '../../src/contract/event.ts'
import { getHubInfo, submitRun } from '../../src/contract/fleet.ts'
import { implement } from '../../src/contract/implementation.ts'
import type { Channel } from '../../src/wire/channel.ts'
import { dialWebSocket } from '../../src/wire/channels/websocket.ts'
import { acceptHandshake, dialHandshake } from '../../src/wire/handshake.ts'
import { temporaryIdentity } from '../../src/wire/identity.ts'
import { eventually } from '../resources/eventually.ts'
import { type ApiServer, ask, serveApi } from './api-server.ts'

let server: ApiServer
beforeAll(async () => {
  server = await serveApi({
    handlers: [
      implement(getHubInfo, async () => {
        throw new Error('secret detail')
      }),
    ],
  })
})
afterAll(() => server[Symbol.asyncDispose]())

const operator = { token: 'operator' }
const runsPath = '/api/v1/runs'

test.each([
  ['{"host":', "the request's JSON body is not valid"],
  ['[1]', 'not a JSON object'],
  ['"x"', 'not a JSON object'],
  ['{}', 'spec'],
  ['{"spec":{"kind":"command","argv":[]}}', 'spec.argv'],
  ['{"spec":{"kind":"command","argv":["a"]},"surprise":1}', 'surprise'],
  ['{"__proto__":{"x":1},"spec":{"kind":"command","argv":["a"]}}', '__proto__'],
])('the body %s is refused, naming what is wrong', async (body, named) => {
  const answer = await ask(server, { method: 'POST', path: runsPath, ...operator, body })
  expect(answer.headers['content-type']).toContain('application/problem+json')
  expect(answer.json).toMatchObject({
    status: 400,
    code: 'input.invalid',
    type: 'urn:muster:error:input.invalid',
    retryable: false,
  })
  expect(answer.json.detail).toContain(named)
  expect(answer.json.hint).not.toBe('')
})

test('a JSON body has a limit', async () => {
  const body = JSON.stringify({ spec: { kind: 'command', argv: ['x'.repeat(2 * 1024 * 1024)] } })
  const answer = await ask(server, { method: 'POST', path: runsPath, ...operator, body })
  expect(answer.json).toMatchObject({ status: 413, code: 'http.body_too_large' })
})

test.each(['text/plain', 'application/x-www-form-urlencoded', 'application/octet-stream'])(
  'JSON routes take no %s',
  async (type) => {
    const answer = await ask(server, {
      method: 'POST',
      path: runsPath,
      ...operator,
      body: 'a=b',
      headers: { 'Content-Type': type },
    })
    expect(answer.json).toMatchObject({ status: 415, code: 'http.media_type' })
  },
)

test('a field given twice must be the same', async () => {
  const cancel = '/api/v1/hosts/box/runs/r1/cancel'
  expect((await ask(server, { method: 'POST', path: cancel, ...operator, body: '{"run":"r1"}' })).status).toBe(200)
  const answer = await ask(server, { method: 'POST', path: cancel, ...operator, body: '{"run":"r2"}' })
  expect(answer.json).toMatchObject({
    code: 'input.invalid',
    detail: expect.stringContaining('run is given in the path and, differently, in the body'),
  })
})

test('path parts are decoded once', async () => {
  const answer = await ask(server, { path: '/api/v1/hosts/caf%C3%A9%20%252F', ...operator })
  expect(answer.json).toEqual({ host: 'café %2F' })
})

test.each([
  ['/api/v1/nothing', 'operation.unknown'],
  ['/api/v1/hosts/nowhere/info', 'host.unknown'],
  ['/%zz', 'input.invalid'],
])('%s is %s', async (path, code) => expect((await ask(server, { path, ...operator })).json).toMatchObject({ code }))

test('a path asked with a method that it has not names those it has', async () => {
  const answer = await ask(server, { method: 'PATCH', path: '/api/v1/hosts/box', ...operator })
  expect(answer.json).toMatchObject({ status: 405, code: 'http.method' })
  expect(answer.headers.allow).toBe('GET, HEAD, DELETE, OPTIONS')
})

test('OPTIONS names the methods', async () => {
  const answer = await ask(server, { method: 'OPTIONS', path: runsPath, ...operator })
  expect(answer).toMatchObject({ status: 204, text: '' })
  expect(answer.headers.allow).toBe('POST, GET, HEAD, OPTIONS')
})

test('HEAD answers what GET does, without a body; streams have none', async () => {
  expect(await ask(server, { method: 'HEAD', path: '/api/v1/hosts', ...operator })).toMatchObject({ status: 200, text: '' })
  expect((await ask(server, { method: 'HEAD', path: '/api/v1/hosts/box/runs/r1/events', ...operator })).status).toBe(405)
})

test('an error that is in no catalogue is logged, and told without details', async () => {
  const answer = await ask(server, { path: '/api/v1/hub', ...operator })
  expect(answer.json).toMatchObject({ status: 500, code: 'internal' })
  expect(answer.text).not.toContain('secret')
  const id = /under request ([0-9a-f-]+)/.exec(String(answer.json.detail))?.[1]
  expect(server.logged.find((line) => line.includes(String(id)))).toContain('secret detail')
})

test('bytes that are no HTTP are answered and cut', async () => {
  const socket = connect(server.port, '127.0.0.1')
  let text = ''
  socket.on('data', (chunk: Buffer) => {
    text += chunk
  })
  socket.write('\x16\x03\x01 nonsense\r\n\r\n')
  await once(socket, 'close')
  expect(text).toMatch(/^HTTP\/1.1 400/)
})

test('a client that goes away cancels its call', async () => {
  const cancelled = vi.fn<(reason: unknown) => void>()
  const waiting = implement(submitRun, async (_input, { signal }) => {
    await once(signal, 'abort')
    cancelled(signal.reason)
    throw signal.reason
  })
  await using slow = await serveApi({ handlers: [waiting] })
  const asked = request({
    host: '127.0.0.1',
    port: slow.port,
    method: 'POST',
    path: runsPath,
    agent: false,
    headers: { Authorization: 'Bearer operator', 'Content-Type': 'application/json' },
  })
  asked.on('error', () => undefined)
  asked.end('{"spec":{"kind":"command","argv":["a"]}}')
  await eventually(() => expect(slow.reached).toEqual(['fleet.submit']))
  asked.destroy()
  await eventually(() => expect(cancelled).toHaveBeenCalledWith(expect.objectContaining({ code: 'call.cancelled' })))
})

test('not ready says so to strangers, and not why', async () => {
  await using sick = await serveApi({
    checkReady: async () => {
      throw failure('store.unavailable', { problem: '/secret/path is full' })
    },
  })
  const answer = await ask(sick, { path: '/readyz' })
  expect(answer.json).toMatchObject({ status: 503, code: 'store.unavailable' })
  expect(answer.text).not.toContain('/secret/path')
})

test("metrics are the hub's and the API's own, by operation", async () => {
  await ask(server, { path: '/api/v1/hosts', ...operator })
  const { text, headers } = await ask(server, { path: '/metrics', ...operator })
  expect(headers['content-type']).toContain('text/plain; version=0.0.4')
  expect(text).toContain('muster_hosts 1')
  expect(text).toMatch(/muster_http_request_seconds_count\{operation="fleet.hosts",status="200"\} [1-9]/)
})

test('the workflow schema is the published one', async () => {
  const answer = await ask(server, { path: '/api/v1/schemas/workflow.json', ...operator })
  expect(answer.text).toBe(await readFile(join(import.meta.dirname, '../../schemas/workflow.schema.json'), 'utf8'))
})

test("the socket and its directory are the owner's alone", async () => {
  expect((await stat(server.socketPath)).mode & 0o777).toBe(0o600)
  expect((await stat(dirname(server.socketPath))).mode & 0o777).toBe(0o700)
})

test('a port that is taken is named', async () => {
  const other = createServer().listen(0, '127.0.0.1')
  await once(other, 'listening')
  const { port } = other.address() as AddressInfo
  await expect(serveApi({ port })).rejects.toMatchObject({
    code: 'hub.bind_failed',
    message: expect.stringContaining(`127.0.0.1:${port}: the address is in use`),
  })
  other.close()
})

test('a socket that a dead process left is replaced, one that answers is not', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'muster-api-'))
  const socketPath = join(dir, 'hub.sock')
  const unserved = async () => {
    throw failure('approval.link_invalid')
  }
  const start = () =>
    startApi({
      hub: {
        id: 'hub',
        offers: new Map(),
        host: async () => new Map(),
        authenticate: async () => undefined,
        approvalLinks: { look: unserved, answer: unserved },
        refused: async () => {},
        acceptTunnel: () => undefined,
        acceptPairing: () => undefined,
        checkReady: async () => undefined,
        metrics: async () => '',
      },
      bind: { host: '127.0.0.1', port: 0 },
      socketPath,
      allowHosts: [],
      log: pino({ enabled: false }),
    })
  await writeFile(socketPath, '')
  const first = await start()
  await expect(start()).rejects.toMatchObject({ code: 'hub.bind_failed' })
  await first.close()
  await using _again = await start()
  await rm(dir, { recursive: true })
})

test('closing ends streams at once, lets calls finish, and takes no more', async () => {
  const go = Promise.withResolvers<void>()
  const following = implement(followEvents, async function* (_input, { signal }) {
    yield { seq: 1, at: '2026-01-01T00:00:00.000Z', type: 'state' as const, state: 'running' as const }
    await once(signal, 'abort')
  })
  const slow = implement(submitRun, async () => {
    await go.promise
    return { id: 'done' } as never
  })
  await using closing = await serveApi({ handlers: [following, slow] })
  const stream = request({
    host: '127.0.0.1',
    port: closing.port,
    path: '/api/v1/hosts/box/runs/r1/events?follow=true',
    agent: false,
    headers: { Authorization: 'Bearer viewer', Accept: 'text/event-stream' },
  })
  stream.end()
  const [response] = (await once(stream, 'response')) as [IncomingMessage]
  const broken = once(response, 'error')
  response.resume()
  const called = ask(closing, {
    method: 'POST',
    path: runsPath,
    ...operator,
    headers: { Connection: 'keep-alive' },
    body: '{"spec":{"kind":"command","argv":["a"]}}',
  })
  await eventually(() => expect(closing.reached).toContain('fleet.submit'))
  const closed = closing.close()
  await broken
  await expect(ask(closing, { path: '/healthz' })).rejects.toThrow(/ECONNREFUSED/)
  go.resolve()
  expect(await called).toMatchObject({ json: { id: 'done' }, headers: { connection: 'close' } })
  await closed
})

function dial(
  of: ApiServer,
  path: string,
  headers: Record<string, string> = {},
): Promise<{ status: number; body: string } | WebSocket> {
  const { promise, resolve } = Promise.withResolvers<{ status: number; body: string } | WebSocket>()
  const socket = new WebSocket(`ws://127.0.0.1:${of.port}${path}`, 'muster.1', { headers })
  socket.on('error', () => undefined)
  socket.on('open', () => resolve(socket))
  socket.on('unexpected-response', (_request, response) => {
    let body = ''
    response.on('data', (chunk: Buffer) => {
      body += chunk
    })
    response.on('end', () => resolve({ status: response.statusCode ?? 0, body }))
  })
  return promise
}

test.each([
  ['/api/v1/tunnel', { Origin: 'https://evil.example' }, 403, 'auth.origin'],
  ['/api/v1/tunnel', { Host: 'evil.example' }, 403, 'auth.origin'],
  ['/api/v1/hub', {}, 404, 'operation.unknown'],
  ['/', {}, 404, 'operation.unknown'],
])('a WebSocket to %s with %o is refused', async (path, headers, status, code) => {
  const answer = await dial(server, path, headers as Record<string, string>)
  expect(answer).toMatchObject({ status, body: expect.stringContaining(`"code":"${code}"`) })
})

test("a node's WebSocket reaches the hub, with its address", async () => {
  const accepted = vi.fn<(channel: Channel, remote: { address: string }) => void>()
  await using hub = await serveApi({ acceptTunnel: accepted })
  const socket = (await dial(hub, '/api/v1/tunnel')) as WebSocket
  await eventually(() =>
    expect(accepted).toHaveBeenCalledWith(expect.anything(), { address: '127.0.0.1', takeTurn: expect.any(Function) }),
  )
  const frames: unknown[] = []
  const [channel] = accepted.mock.calls[0] as [Channel, unknown]
  channel.receive((frame) => void frames.push(frame))
  socket.send('hello')
  await eventually(() => expect(frames).toEqual([{ kind: 'text', text: 'hello' }]))
  await hub.close()
  expect((await channel.closed).code).toBe('wire.closed')
})

test('the door gives so many turns at once, and the next when one has ended', async () => {
  const turns: (() => void)[] = []
  let dialled = 0
  await using hub = await serveApi({
    acceptTunnel: (_channel, { takeTurn }) => {
      dialled++
      return takeTurn(() => new Promise<void>((resolve) => turns.push(resolve)))
    },
  })
  await Promise.all(Array.from({ length: 65 }, () => dial(hub, '/api/v1/tunnel')))
  await eventually(() => expect(dialled).toBe(65))
  expect(turns).toHaveLength(64)
  turns[0]?.()
  await eventually(() => expect(turns).toHaveLength(65))
})

test('who dials and says nothing, or no more than a hello, keeps nobody out', async () => {
  const identity = temporaryIdentity()
  const side = { identity, software: '0.0.0-test', timeoutMs: 60_000 }
  const principal = { kind: 'node', id: 'host_1', role: 'node', scopes: new Set<never>() } as const
  await using hub = await serveApi({
    acceptTunnel: async (channel, { takeTurn }) => {
      const admit = async () => ({ welcome: 'come in', principal })
      await acceptHandshake(channel, { ...side, role: 'hub', takeTurn, admit })
    },
  })
  const silent = (await Promise.all(Array.from({ length: 140 }, () => dial(hub, '/api/v1/tunnel')))) as WebSocket[]
  const hello = JSON.stringify(helloOf(temporaryIdentity().publicKey))
  await Promise.all(
    silent.slice(0, 70).map(async (socket) => {
      socket.send(JSON.stringify({ jsonrpc: '2.0', id: 1, method: '$/hello', params: { hello } }))
      const [answer] = await once(socket, 'message')
      expect(String(answer)).toContain('signature')
    }),
  )
  const channel = await dialWebSocket(`ws://127.0.0.1:${hub.port}/api/v1/tunnel`, { timeoutMs: 30_000 })
  const dialler = { ...side, identity: temporaryIdentity(), role: 'node' }
  expect(await dialHandshake(channel, dialler)).toMatchObject({ welcome: 'come in' })
}, 60_000)

function helloOf(key: string) {
  const limits = { maxFrame: 1 << 20, window: 1 << 19 }
  return { protocol: { min: 1, max: 1 }, software: 'x', role: 'node', key, nonce: 'A'.repeat(43), limits }
}

test('who says more than a handshake holds before his is over is cut; afterwards a frame may be as large as frames are', async () => {
  const handshake = Promise.withResolvers<void>()
  const received: number[] = []
  await using hub = await serveApi({
    acceptTunnel: (channel) => {
      channel.receive((frame) => void received.push(frame.kind === 'text' ? frame.text.length : 0))
      return handshake.promise
    },
  })
  const large = 'x'.repeat(200 * 1024)
  const early = (await dial(hub, '/api/v1/tunnel')) as WebSocket
  const proven = (await dial(hub, '/api/v1/tunnel')) as WebSocket
  const cut = once(early, 'close')
  early.send(large)
  await cut
  expect(received).toEqual([])
  handshake.resolve()
  await handshake.promise
  proven.send(large)
  await eventually(() => expect(received).toEqual([large.length]))
})

test('a refused upgrade is cut, also where the client keeps its half open', async () => {
  await using hub = await serveApi()
  const socket = connect({ host: '127.0.0.1', port: hub.port, allowHalfOpen: true })
  const answer: Buffer[] = []
  socket.on('data', (bytes) => answer.push(bytes))
  const cut = once(socket, 'error')
  socket.write('GET /nowhere HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n')
  await once(socket, 'end')
  expect(Buffer.concat(answer).toString()).toContain('HTTP/1.1 404')
  const writing = setInterval(() => socket.write('still here'), 10)
  try {
    expect((await cut)[0]).toMatchObject({ code: expect.stringMatching(/EPIPE|ECONNRESET/) })
  } finally {
    clearInterval(writing)
    socket.destroy()
  }
}, 60_000)
