import { execFile } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { makeSigningRequest } from '../../connectors/tunnel/signing-request.ts'
import { openAuthority } from './authority.ts'

const run = promisify(execFile)
const day = 24 * 3600 * 1000
const host = 'host_01ARZ3NDEKTSV4RRFFQ69G5FAV'
let dir: string
const file = (name: string) => join(dir, name)

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'muster-authority-'))
})
afterEach(() => rm(dir, { recursive: true }))

async function openssl(...args: string[]): Promise<string> {
  const { stdout } = await run('openssl', args, { cwd: dir })
  return stdout
}

const open = (now = Date.now) => openAuthority(file('authority'), 'abcdef0123456789', now)

it('its certificates are what openssl takes for a server at those names and for a host', async () => {
  const authority = await open()
  const root = authority.roots.current
  await writeFile(file('root.pem'), root.certificate)
  const server = await authority.issueServer(['hub.example', '192.0.2.7', '::1'])
  await writeFile(file('server.pem'), server.certificate)
  for (const name of [
    ['-verify_hostname', 'hub.example'],
    ['-verify_ip', '192.0.2.7'],
    ['-verify_ip', '::1'],
  ]) {
    const verified = await openssl(
      'verify',
      '-x509_strict',
      '-purpose',
      'sslserver',
      ...name,
      '-CAfile',
      'root.pem',
      'server.pem',
    )
    expect(verified).toBe('server.pem: OK\n')
  }
  await expect(openssl('verify', '-verify_hostname', 'other.example', '-CAfile', 'root.pem', 'server.pem')).rejects.toThrow()
  await expect(openssl('verify', '-purpose', 'sslclient', '-CAfile', 'root.pem', 'server.pem')).rejects.toThrow()

  const { request } = await makeSigningRequest()
  const client = await authority.issueClient(host, request)
  await writeFile(file('client.pem'), client.certificate)
  expect(await openssl('verify', '-x509_strict', '-purpose', 'sslclient', '-CAfile', 'root.pem', 'client.pem')).toBe(
    'client.pem: OK\n',
  )
  await expect(openssl('verify', '-purpose', 'sslserver', '-CAfile', 'root.pem', 'client.pem')).rejects.toThrow()
  const text = await openssl(
    'x509',
    '-in',
    'client.pem',
    '-noout',
    '-subject',
    '-ext',
    'subjectAltName,basicConstraints,keyUsage',
  )
  expect(text).toMatch(/^subject=CN ?= ?host_01ARZ3NDEKTSV4RRFFQ69G5FAV$/m)
  expect(text).toContain(`URI:urn:muster:host:${host}`)
  expect(text).toContain('CA:FALSE')
  const valid = new X509Certificate(client.certificate)
  expect(Date.parse(valid.validTo) - Date.now()).toBeLessThanOrEqual(7 * day)
  expect(Date.parse(valid.validTo) - Date.now()).toBeGreaterThan(6.9 * day)
  expect(Date.parse(new X509Certificate(root.certificate).validTo) - Date.now()).toBeGreaterThan(3649 * day)
})

it('its key is in a file of its account alone, in such a directory, and the same is there when it is opened again', async () => {
  const first = await open()
  expect((await stat(file('authority'))).mode & 0o777).toBe(0o700)
  expect((await stat(file('authority/1.pem'))).mode & 0o777).toBe(0o600)
  expect((await open()).roots.current).toEqual(first.roots.current)
  await run('chmod', ['644', file('authority/1.pem')])
  await expect(open()).rejects.toMatchObject({ code: 'home.unusable' })
  await run('chmod', ['600', file('authority/1.pem')])
  await writeFile(file('authority/1.pem'), (await readFile(file('authority/1.pem'), 'utf8')).slice(0, 300))
  await expect(open()).rejects.toMatchObject({ code: 'home.unusable' })
})

it('a name in a signing request counts for nothing, and its key only with its own signature', async () => {
  const authority = await open()
  await openssl(
    ...[
      'req',
      '-new',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:prime256v1',
      '-nodes',
      '-keyout',
      'k.pem',
      '-out',
      'r.pem',
    ],
    ...[
      '-subj',
      '/CN=host_OTHER/O=root',
      '-addext',
      'subjectAltName=DNS:hub.example',
      '-addext',
      'basicConstraints=critical,CA:TRUE',
    ],
  )
  const request = await readFile(file('r.pem'), 'utf8')
  const { certificate } = await authority.issueClient(host, request)
  expect(new X509Certificate(certificate)).toMatchObject({
    subject: `CN=${host}`,
    subjectAltName: `URI:urn:muster:host:${host}`,
    ca: false,
    keyUsage: ['1.3.6.1.5.5.7.3.2'],
  })

  const der = Buffer.from(request.replace(/-----[^-]+-----|\s/g, ''), 'base64')
  // The last byte is one of its signature.
  der[der.length - 1] = (der[der.length - 1] as number) ^ 1
  const broken = `-----BEGIN CERTIFICATE REQUEST-----\n${der.toString('base64')}\n-----END CERTIFICATE REQUEST-----\n`
  await expect(authority.issueClient(host, broken)).rejects.toMatchObject({ code: 'certificate.request' })
  await openssl(...['req', '-new', '-newkey', 'rsa:2048', '-nodes', '-keyout', 'k.pem', '-out', 'rsa.pem', '-subj', '/CN=x'])
  const rsa = await readFile(file('rsa.pem'), 'utf8')
  await expect(authority.issueClient(host, rsa)).rejects.toMatchObject({ code: 'certificate.request' })
  for (const none of ['', 'x', '-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n'])
    await expect(authority.issueClient(host, none)).rejects.toMatchObject({ code: 'certificate.request' })
})

it('after rotations, whoever trusts any of the roots finds the way to it in what is presented; former keys are gone', async () => {
  const authority = await open()
  const roots = [authority.roots.current.certificate]
  for (let rotation = 0; rotation < 2; rotation++) {
    await authority.rotate()
    roots.push(authority.roots.current.certificate)
  }
  expect(new Set(roots).size).toBe(3)
  const { certificate } = await authority.issueServer(['hub.example'])
  await writeFile(file('server.pem'), certificate)
  await writeFile(file('chain.pem'), authority.chain)
  for (const root of roots) {
    await writeFile(file('root.pem'), root)
    const verified = openssl('verify', '-purpose', 'sslserver', '-CAfile', 'root.pem', '-untrusted', 'chain.pem', 'server.pem')
    expect(await verified).toBe('server.pem: OK\n')
  }
  const files = await readdir(file('authority'))
  expect(files.toSorted()).toEqual(['1.pem', '2.pem', '3.pem'])
  const keys = await Promise.all(
    files.toSorted().map(async (name) => (await readFile(file(`authority/${name}`), 'utf8')).includes('PRIVATE KEY')),
  )
  expect(keys).toEqual([false, false, true])
  const again = await open()
  expect(again.chain).toBe(authority.chain)
  expect(again.roots.former.map((root) => root.certificate)).toEqual([roots[1], roots[0]])
})

it('a hub that was killed while it rotated signs with the new root and takes the key of the former one away', async () => {
  const authority = await open()
  const before = await readFile(file('authority/1.pem'), 'utf8')
  await authority.rotate()
  await writeFile(file('authority/1.pem'), before, { mode: 0o600 })
  const again = await open()
  expect(again.roots.current.number).toBe(2)
  expect(await readFile(file('authority/1.pem'), 'utf8')).not.toContain('PRIVATE KEY')
})
