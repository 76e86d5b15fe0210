// A throwaway certificate authority, and TLS in front of a hub: what a reverse proxy with a private certificate is to its clients.

import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { type AddressInfo, connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createServer } from 'node:tls'
import { promisify } from 'node:util'

const run = promisify(execFile)

export interface Certificate {
  readonly key: string
  readonly cert: string
}

export interface Authority extends AsyncDisposable {
  readonly caFile: string
  readonly ca: string
  /** For names and addresses as openssl writes them: `DNS:localhost`, `IP:127.0.0.1`. Days below zero: it has expired. */
  issue(names: string, days?: number, commonName?: string): Promise<Certificate>
  /** The same, in files. */
  files(names: string): Promise<{ certFile: string; keyFile: string }>
  /** A new certificate for the same key. */
  renew(certificate: Certificate, names: string): Promise<Certificate>
}

export async function makeAuthority(): Promise<Authority> {
  const dir = await mkdtemp(join(tmpdir(), 'muster-ca-'))
  const file = (name: string) => join(dir, name)
  const openssl = (...args: string[]) => run('openssl', args, { cwd: dir })
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  await openssl('req', '-x509', ...newKey, '-keyout', 'ca.key', '-out', 'ca.pem', '-subj', '/CN=a test authority', '-days', '2')
  let issued = 0

  async function sign(keyFile: string, names: string, days: number, commonName = 'a test hub'): Promise<Certificate> {
    const name = `cert${++issued}`
    await openssl('req', '-new', '-key', keyFile, '-out', `${name}.csr`, '-subj', `/CN=${commonName}`)
    await writeFile(file(`${name}.ext`), `subjectAltName=${names}\n`)
    await openssl(
      ...['x509', '-req', '-in', `${name}.csr`, '-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial'],
      ...['-extfile', `${name}.ext`, '-out', `${name}.pem`, '-days', String(days)],
    )
    return { key: await readFile(file(keyFile), 'utf8'), cert: await readFile(file(`${name}.pem`), 'utf8') }
  }

  async function issue(names: string, days = 2, commonName?: string): Promise<Certificate> {
    const keyFile = `key${issued + 1}.pem`
    await openssl('ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', keyFile)
    return sign(keyFile, names, days, commonName)
  }

  return {
    caFile: file('ca.pem'),
    ca: await readFile(file('ca.pem'), 'utf8'),
    issue,
    async files(names) {
      const { key, cert } = await issue(names)
      const [certFile, keyFile] = [file(`files${issued}.pem`), file(`files${issued}.key`)]
      await writeFile(certFile, cert)
      await writeFile(keyFile, key, { mode: 0o600 })
      return { certFile, keyFile }
    },
    async renew({ key }, names) {
      await writeFile(file('renewed.key'), key)
      return sign('renewed.key', names, 2)
    },
    [Symbol.asyncDispose]: () => rm(dir, { recursive: true, force: true }),
  }
}

export interface TlsFront extends AsyncDisposable {
  readonly url: string
  readonly port: number
  /** Bytes that clients have sent, once decrypted. */
  readonly received: number
  present(certificate: Certificate): void
}

/** Ends TLS before a hub, and hands on what it carries. */
export async function openTlsFront(target: string, certificate: Certificate): Promise<TlsFront> {
  const { hostname, port } = new URL(target)
  let received = 0
  const server = createServer(certificate, (client) => {
    const upstream = connect(Number(port), hostname)
    client.on('data', (chunk: Buffer) => {
      received += chunk.length
    })
    client.pipe(upstream).pipe(client)
    for (const [one, other] of [
      [client, upstream],
      [upstream, client],
    ] as const)
      one.on('error', () => other.destroy()).on('close', () => other.destroy())
    open.add(client)
    client.once('close', () => open.delete(client))
  })
  const open = new Set<{ destroy(): unknown }>()
  // Clients that do not trust it break the handshake off.
  server.on('tlsClientError', () => undefined)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const own = (server.address() as AddressInfo).port
  return {
    url: `https://localhost:${own}`,
    port: own,
    get received() {
      return received
    },
    present: (next) => server.setSecureContext(next),
    async [Symbol.asyncDispose]() {
      for (const client of open) client.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}
