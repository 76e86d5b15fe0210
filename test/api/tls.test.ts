// The listener that ends TLS: who speaks what to it, and what it does with those who say nothing.

import { once } from 'node:events'
import { connect as connectTcp } from 'node:net'
import { connect } from 'node:tls'
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest'
import WebSocket from 'ws'
import { tunnelPath } from '../../src/contract/http.ts'
import { type Authority, type Certificate, makeAuthority } from '../resources/certificates.ts'
import { type ApiServer, type HubParts, serveApi } from './api-server.ts'

let authority: Authority
let presented: Certificate
let changed: (() => void)[]
beforeAll(async () => {
  authority = await makeAuthority()
  presented = await authority.issue('DNS:localhost,IP:127.0.0.1')
})
afterAll(() => authority?.[Symbol.asyncDispose]())

async function serve(parts: HubParts = {}): Promise<ApiServer> {
  changed = []
  const tls = { now: () => ({ ...presented, ca: authority.ca }), onChange: (tell: () => void) => void changed.push(tell) }
  const server = await serveApi({ tls, ...parts })
  onTestFinished(() => server[Symbol.asyncDispose]())
  return server
}

/** What is answered to `text` until the other side closes. */
async function say(port: number, text: string, secure: boolean): Promise<string> {
  const socket = secure ? connect({ port, host: '127.0.0.1', ca: authority.ca }) : connectTcp(port, '127.0.0.1')
  await once(socket, secure ? 'secureConnect' : 'connect')
  let answer = ''
  socket.on('data', (piece) => {
    answer += String(piece)
  })
  socket.write(text)
  await once(socket, 'close')
  return answer
}

const get = (path: string, more = '') => `GET ${path} HTTP/1.1\r\nHost: localhost\r\n${more}Connection: close\r\n\r\n`

it('answers over TLS at an https:// address, and tells whoever speaks plain HTTP', async () => {
  const { port, url } = await serve()
  expect(url).toBe(`https://127.0.0.1:${port}`)
  expect(await say(port, get('/healthz'), true)).toMatch(/^HTTP\/1.1 200 OK/)
  const token = 'Authorization: Bearer operator\r\n'
  expect(await say(port, get('/api/v1/hub', token), true)).toMatch(/^HTTP\/1.1 200 OK/)
  expect(await say(port, get('/api/v1/hub'), true)).toMatch(/^HTTP\/1.1 401/)

  const plain = await say(port, get('/api/v1/hub', token), false)
  expect(plain).toMatch(/^HTTP\/1.1 426 Upgrade Required\r\n/)
  expect(JSON.parse(plain.slice(plain.indexOf('{')))).toMatchObject({
    code: 'http.tls_wanted',
    hint: expect.stringContaining('wss://'),
  })
})

it('a tunnel is taken over wss://, with what TLS has proven, and refused over ws://', async () => {
  const shown: unknown[] = []
  const { port } = await serve({
    acceptTunnel: (channel, { tls }) => {
      shown.push(tls?.certificate?.subject, channel.tlsBinding)
    },
  })
  const refused = new WebSocket(`ws://127.0.0.1:${port}${tunnelPath}`)
  const [, response] = await once(refused, 'unexpected-response')
  expect(response.statusCode).toBe(426)
  refused.on('error', () => undefined).terminate()

  const client = await authority.issue('URI:urn:test', 2, 'somebody')
  for (const mine of [{}, client]) {
    const socket = new WebSocket(`wss://127.0.0.1:${port}${tunnelPath}`, 'muster.1', { ca: authority.ca, ...mine })
    await once(socket, 'open')
    socket.terminate()
  }
  expect(shown).toEqual([undefined, expect.any(String), 'CN=somebody', expect.any(String)])
  expect(shown[1]).not.toBe(shown[3])
})

it('presents what it is told to from the next connection on', async () => {
  const { port } = await serve()
  const fingerprint = async () => {
    const socket = connect({ port, host: '127.0.0.1', ca: authority.ca })
    await once(socket, 'secureConnect')
    const seen = socket.getPeerX509Certificate()?.fingerprint256
    socket.destroy()
    return seen
  }
  const before = presented
  const first = await fingerprint()
  presented = await authority.issue('IP:127.0.0.1')
  expect(await fingerprint()).toBe(first)
  for (const tell of changed) tell()
  expect(await fingerprint()).not.toBe(first)
  presented = before
})

it('closes at once with connections open that have said nothing, or half of a handshake', async () => {
  const server = await serve()
  const sockets = [connectTcp(server.port, '127.0.0.1'), connectTcp(server.port, '127.0.0.1')]
  await Promise.all(sockets.map((socket) => once(socket, 'connect')))
  sockets[1]?.write(Buffer.from([0x16, 3, 1]))
  expect(await say(server.port, get('/healthz'), true)).toMatch(/^HTTP\/1.1 200/)
  const closed = Promise.all(
    sockets.map((socket) =>
      once(
        socket.on('error', () => undefined),
        'close',
      ),
    ),
  )
  await server.close()
  await closed
})
