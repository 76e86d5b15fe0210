// The client over TLS, against real certificates: whom it trusts, and that it tells nothing to whom it does not.

import { execFileSync } from 'node:child_process'
import { createPublicKey } from 'node:crypto'
import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { getHubInfo } from '../../src/contract/fleet.ts'
import { implement } from '../../src/contract/implementation.ts'
import { readOutput } from '../../src/contract/output.ts'
import { connectHub, type HubClient } from '../../src/sdk/client.ts'
import type { Trust } from '../../src/sdk/tls.ts'
import { keyPin } from '../../src/wire/key-pin.ts'
import { type ApiServer, serveApi } from '../api/api-server.ts'
import { type Authority, type Certificate, makeAuthority, openTlsFront } from '../resources/certificates.ts'

let authority: Authority
let hub: ApiServer

const info = {
  id: 'h',
  label: 'h',
  version: '1.0.0',
  protocol: 1,
  key: 'h',
  urls: [],
  startedAt: '2026-01-01T00:00:00.000Z',
  store: 'sqlite' as const,
  pid: 1,
}

beforeAll(async () => {
  authority = await makeAuthority()
  hub = await serveApi({
    allowHosts: ['localhost', '127.0.0.1'],
    handlers: [
      implement(getHubInfo, async () => info),
      implement(readOutput, async function* () {
        for (let index = 0; index < 64; index++) yield new Uint8Array(64 * 1024).fill(index)
      }),
    ],
  })
})

afterAll(async () => {
  await hub?.[Symbol.asyncDispose]()
  await authority?.[Symbol.asyncDispose]()
})

function clientOf(url: string, trust?: Trust): HubClient & Disposable {
  const client = connectHub({ url, token: 'operator', ...(trust && { trust: () => trust }) })
  return { ...client, [Symbol.dispose]: client.close }
}

const asks = (client: HubClient) => client.hub.call(getHubInfo, {}, { timeoutMs: 5_000 })

/** A pin that the client says is wrong tells the right one, as in the page that explains pins. */
async function pinOf(url: string): Promise<string> {
  using client = clientOf(url, { pin: `sha256//${'A'.repeat(43)}=` })
  const { message } = (await asks(client).catch((error: unknown) => error)) as Error
  return /its key is (sha256\/\/\S+), and/.exec(message)?.[1] as string
}

test('a private authority is trusted by its file, and not without', async () => {
  await using front = await openTlsFront(hub.url, await authority.issue('DNS:localhost,IP:127.0.0.1'))
  using stranger = clientOf(front.url)
  await expect(asks(stranger)).rejects.toMatchObject({ code: 'link.certificate', retryable: false })
  expect(front.received).toBe(0)
  using client = clientOf(front.url, { ca: authority.ca })
  expect(await asks(client)).toEqual(info)
  using byAddress = clientOf(`https://127.0.0.1:${front.port}`, { ca: authority.ca })
  expect(await asks(byAddress)).toEqual(info)
})

test.each([
  { what: 'for another name', names: 'DNS:other.example', days: 2, says: /localhost/ },
  { what: 'that has expired', names: 'DNS:localhost', days: -1, says: /expired/ },
])('a certificate $what is refused before anything is sent', async ({ names, days, says }) => {
  await using front = await openTlsFront(hub.url, await authority.issue(names, days))
  using client = clientOf(front.url, { ca: authority.ca })
  await expect(asks(client)).rejects.toMatchObject({ code: 'link.certificate', message: expect.stringMatching(says) })
  expect(front.received).toBe(0)
})

test("another authority's certificate is refused where one is named, and so is the system's own", async () => {
  await using other = await makeAuthority()
  await using front = await openTlsFront(hub.url, await other.issue('DNS:localhost'))
  using client = clientOf(front.url, { ca: authority.ca })
  await expect(asks(client)).rejects.toMatchObject({ code: 'link.certificate' })
  expect(front.received).toBe(0)
})

test('a pin is that of the key: it outlives a renewed certificate, and another key is told nothing', async () => {
  const certificate = await authority.issue('DNS:localhost')
  await using front = await openTlsFront(hub.url, certificate)
  const pin = await pinOf(front.url)
  expect(front.received).toBe(0)
  using client = clientOf(front.url, { pin })
  expect(await asks(client)).toEqual(info)

  front.present(await authority.renew(certificate, 'DNS:localhost'))
  client.close()
  expect(await asks(client)).toEqual(info)

  const before = front.received
  front.present(await authority.issue('DNS:localhost'))
  client.close()
  await expect(asks(client)).rejects.toMatchObject({ code: 'link.certificate', message: expect.stringContaining(pin) })
  expect(front.received).toBe(before)
})

test('the pin is the one that openssl tells', async () => {
  const certificate = await authority.issue('DNS:localhost')
  await using front = await openTlsFront(hub.url, certificate)
  const script = 'openssl x509 -pubkey -noout | openssl pkey -pubin -outform der | openssl dgst -sha256 -binary | base64'
  const told = execFileSync('sh', ['-c', script], { input: certificate.cert, encoding: 'utf8' }).trim()
  expect(await pinOf(front.url)).toBe(`sha256//${told}`)
})

/** As a server presents it that shows its authority too. */
const withAuthority = ({ key, cert }: Certificate) => ({ key, cert: cert + authority.ca })

test("an authority's pin: what it has signed counts while it is valid, for its name, and nothing is sent to the rest", async () => {
  const pin = keyPin(createPublicKey(authority.ca).export({ type: 'spki', format: 'der' }))
  await using front = await openTlsFront(hub.url, withAuthority(await authority.issue('DNS:localhost')))
  using client = clientOf(front.url, { pin })
  expect(await asks(client)).toEqual(info)
  using both = clientOf(front.url, { pin, ca: authority.ca })
  expect(await asks(both)).toEqual(info)

  const before = front.received
  await using other = await makeAuthority()
  using neither = clientOf(front.url, { pin, ca: other.ca })
  await expect(asks(neither)).rejects.toMatchObject({ code: 'link.certificate' })
  for (const [presented, says] of [
    [withAuthority(await authority.issue('DNS:other.example')), /is for DNS:other.example/],
    [withAuthority(await authority.issue('DNS:localhost', -1)), /expired/],
    // It only shows the authority's certificate: another has signed its own.
    [withAuthority(await other.issue('DNS:localhost')), /not known here|was expected|signed/],
    [await authority.issue('DNS:localhost'), /its key is/],
  ] as const) {
    front.present(presented)
    client.close()
    await expect(asks(client)).rejects.toMatchObject({ code: 'link.certificate', message: expect.stringMatching(says) })
  }
  expect(front.received).toBe(before)
})

test('with an authority and a pin both must fit', async () => {
  await using other = await makeAuthority()
  const certificate = await other.issue('DNS:localhost')
  await using front = await openTlsFront(hub.url, certificate)
  const pin = await pinOf(front.url)
  using wrongAuthority = clientOf(front.url, { ca: authority.ca, pin })
  await expect(asks(wrongAuthority)).rejects.toMatchObject({ code: 'link.certificate' })
  using wrongPin = clientOf(front.url, { ca: other.ca, pin: `sha256//${'A'.repeat(43)}=` })
  await expect(asks(wrongPin)).rejects.toMatchObject({ code: 'link.certificate' })
  expect(front.received).toBe(0)
  using client = clientOf(front.url, { ca: other.ca, pin })
  expect(await asks(client)).toEqual(info)
})

test('a large answer arrives whole over TLS', async () => {
  await using front = await openTlsFront(hub.url, await authority.issue('DNS:localhost'))
  using client = clientOf(front.url, { ca: authority.ca })
  let length = 0
  for await (const bytes of client.host('box').bytes(readOutput, { run: 'r1' })) length += bytes.length
  expect(length).toBe(64 * 64 * 1024)
})

test('a hub that serves no TLS is told so, in a sentence', async () => {
  using client = clientOf(hub.url.replace('http:', 'https:'))
  await expect(asks(client)).rejects.toMatchObject({
    code: 'link.tls',
    message: `No TLS connection to ${hub.url.replace('http:', 'https:')}: what answers at this port does not speak TLS.`,
  })
})

test('a port that takes connections and does not shake hands is given up with the call', async () => {
  const silent = createServer().listen(0, '127.0.0.1')
  await once(silent, 'listening')
  using client = clientOf(`https://127.0.0.1:${(silent.address() as AddressInfo).port}`)
  await expect(client.hub.call(getHubInfo, {}, { timeoutMs: 300 })).rejects.toMatchObject({ code: 'call.deadline' })
  silent.close()
})

test('closing the client ends also what is still being connected', async () => {
  const silent = createServer().listen(0, '127.0.0.1')
  await once(silent, 'listening')
  using client = clientOf(`https://127.0.0.1:${(silent.address() as AddressInfo).port}`)
  const asked = expect(client.hub.call(getHubInfo, {})).rejects.toMatchObject({ code: 'wire.closed' })
  const [socket] = (await once(silent, 'connection')) as [Socket]
  const ended = once(socket, 'close')
  client.close()
  await asked
  socket.resume()
  await ended
  silent.close()
})

test('a port that takes connections and ends them at once is told as that', async () => {
  const rude = createServer((socket) => socket.end()).listen(0, '127.0.0.1')
  await once(rude, 'listening')
  using client = clientOf(`https://127.0.0.1:${(rude.address() as AddressInfo).port}`)
  await expect(asks(client)).rejects.toMatchObject({ code: 'wire.closed' })
  rude.close()
})
