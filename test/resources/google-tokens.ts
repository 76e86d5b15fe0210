// Where Google's tokens are had, as far as a service account's own process can tell: a proxy that ends TLS for it by a private authority.

import { createVerify, generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { makeAuthority } from './certificates.ts'
import { makeHome } from './home.ts'

const tokenHost = 'oauth2.googleapis.com'

export interface GoogleTokens extends AsyncDisposable {
  /** For a process that is to ask here, as the service account whose file GOOGLE_APPLICATION_CREDENTIALS names. */
  readonly env: Readonly<Record<string, string>>
  /** The token that an assertion by that account's key is answered with. */
  readonly token: string
  /** Lines of its private key, as they are in the file. */
  readonly keyLines: readonly string[]
  /** How many were given. */
  readonly given: () => number
}

export async function startGoogleTokens(): Promise<GoogleTokens> {
  await using opened = new AsyncDisposableStack()
  const dir = opened.use(await makeHome())
  const authority = opened.use(await makeAuthority())
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
  const account = { type: 'service_account', client_email: 'box@drop.example', private_key: pem, private_key_id: 'one' }
  const file = join(dir.path, 'account.json')
  await writeFile(file, JSON.stringify({ ...account, token_uri: `https://${tokenHost}/token` }), { mode: 0o600 })
  const token = 'ya29.of-the-service-account'
  let given = 0

  const tokens = createTlsServer(await authority.issue(`DNS:${tokenHost}`), async (request, response) => {
    const assertion = new URLSearchParams(await text(request)).get('assertion') ?? ''
    const [header, claims, signature = ''] = assertion.split('.')
    const isOurs = createVerify('RSA-SHA256').update(`${header}.${claims}`).verify(publicKey, signature, 'base64url')
    if (isOurs) given++
    response
      .writeHead(isOurs ? 200 : 401, { 'content-type': 'application/json' })
      .end(JSON.stringify(isOurs ? { access_token: token, token_type: 'Bearer', expires_in: 3600 } : { error: 'invalid_grant' }))
  })
  const proxy = createServer().on('connect', ({ url }, socket) => {
    if (url !== `${tokenHost}:443`) return socket.end('HTTP/1.1 403 Forbidden\r\n\r\n')
    socket.write('HTTP/1.1 200 OK\r\n\r\n')
    tokens.emit('connection', socket)
    open.add(socket)
    socket.once('close', () => open.delete(socket)).on('error', () => socket.destroy())
  })
  const open = new Set<{ destroy(): unknown }>()
  proxy.listen(0, '127.0.0.1')
  await once(proxy, 'listening')
  opened.defer(async () => {
    for (const socket of open) socket.destroy()
    proxy.close()
    await once(proxy, 'close')
  })
  const closing = opened.move()
  return {
    env: {
      GOOGLE_APPLICATION_CREDENTIALS: file,
      HTTPS_PROXY: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`,
      NODE_EXTRA_CA_CERTS: authority.caFile,
    },
    token,
    keyLines: pem.split('\n').filter((line) => line.length > 40),
    given: () => given,
    [Symbol.asyncDispose]: () => closing.disposeAsync(),
  }
}
