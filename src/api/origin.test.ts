import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { expect, test } from 'vitest'
import { originCheck } from './origin.ts'

const check = originCheck({ bindHost: '0.0.0.0', allowHosts: ['hub.example', 'Proxy.example:8443', '[fd00::7]'] })

function ask(headers: IncomingHttpHeaders) {
  const socket = { localPort: 7878, localAddress: '::ffff:192.168.1.5' } as IncomingMessage['socket']
  return () => check({ headers, socket })
}

test.each([
  'localhost:7878',
  'LOCALHOST:7878',
  '127.0.0.1:7878',
  '[::1]:7878',
  '192.168.1.5:7878',
  '0.0.0.0:7878',
  'hub.example',
  'hub.example:443',
  'HUB.EXAMPLE.:7878',
  'proxy.example:8443',
  '[fd00::7]',
  'localhost',
  'localhost:8000',
  '127.0.0.1',
])('Host %s is this hub', (host) => expect(ask({ host })).not.toThrow())

test.each([
  '',
  'evil.example:7878',
  'localhost.evil.example:7878',
  'evil@localhost:7878',
  'localhost:7878/',
  'localhost:7878#',
  '192.168.1.6:7878',
  'proxy.example',
  'proxy.example:8444',
  'sub.hub.example',
  'localhost:',
  ':7878',
])('Host "%s" is not', (host) => expect(ask({ host })).toThrow(expect.objectContaining({ code: 'auth.origin' })))

test('through a forwarded port, a page of that port may ask and others may not', () => {
  expect(ask({ host: 'localhost:8000', origin: 'http://localhost:8000' })).not.toThrow()
  expect(ask({ host: 'localhost:8000', origin: 'http://localhost:3000' })).toThrow(/Origin/)
  expect(ask({ host: 'evil.example:8000', origin: 'http://evil.example:8000' })).toThrow(/Host/)
})

test('a request without Host is refused', () => expect(ask({})).toThrow(/Host/))

test.each(['http://localhost:7878', 'http://192.168.1.5:7878', 'https://hub.example', 'https://proxy.example:8443'])(
  'a page of %s may ask',
  (origin) => expect(ask({ host: 'localhost:7878', origin })).not.toThrow(),
)

test.each([
  'null',
  'http://localhost',
  'http://localhost:3000',
  'https://evil.example',
  'file://',
  'http://localhost:7878.evil.example',
  '',
])('a page of "%s" may not', (origin) => expect(ask({ host: 'localhost:7878', origin })).toThrow(/Origin/))
