// A node that dials wss://, through what ends TLS before a real hub: whom it trusts, that it tells nothing to whom it does not, and that
// the keys are proven through it.

import { createPublicKey } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { hasProgram } from '../../scripts/system-parts.ts'
import { keyPin } from '../../src/wire/key-pin.ts'
import { defaultLimits } from '../../src/wire/limits.ts'
import { type Authority, makeAuthority, openTlsFront } from '../resources/certificates.ts'
import {
  type Home,
  makeHome,
  muster,
  musterJson,
  type ServedHub,
  serveHub,
  start,
  until,
  untilOnline,
} from '../resources/muster.ts'
import { openNginx } from '../resources/nginx.ts'

let hubHome: Home
let hub: ServedHub
let authority: Authority
let enrolled = 0

beforeAll(async () => {
  hubHome = await makeHome()
  hub = await serveHub(hubHome)
  authority = await makeAuthority()
})
afterAll(async () => {
  await authority?.[Symbol.asyncDispose]()
  await hub?.[Symbol.asyncDispose]()
  await hubHome?.[Symbol.asyncDispose]()
})

interface Joining {
  readonly name: string
  readonly token: string
  readonly home: Home
}

async function enrol(): Promise<Joining> {
  const name = `box-${++enrolled}`
  const { token } = await musterJson<{ token: string }>(hubHome.path, ['node', 'enroll', name])
  const home = await makeHome()
  onTestFinished(() => home[Symbol.asyncDispose]())
  return { name, token, home }
}

const wss = (url: string) => url.replace('https:', 'wss:')

/** The node's command; the token only where it is given. */
function serveNode(url: string, { home, token }: { home: Home; token?: string }, options: readonly string[] = []) {
  const args = ['node', '--hub', wss(url), '--allow', 'runs', ...options, ...(token ? ['--token-stdin'] : [])]
  const served = start(home.path, args, {}, token)
  onTestFinished(() => served.kill())
  return served
}

async function refusedNode(url: string, { home, token }: Joining, options: readonly string[] = []) {
  return muster(home.path, ['node', '--hub', wss(url), '--token-stdin', ...options], { input: token })
}

const pinOf = ({ key }: { key: string }) => keyPin(createPublicKey(key).export({ type: 'spki', format: 'der' }))

it('a private authority is trusted by its file, and remembered for later starts', async () => {
  await using front = await openTlsFront(hub.url, await authority.issue('DNS:localhost'))
  const joining = await enrol()
  const { name, home } = joining
  const stranger = await refusedNode(front.url, joining)
  expect(stranger.code).toBe(3)
  expect(stranger.stderr).toMatch(
    /The certificate of wss:\/\/localhost:\d+ is not trusted, and nothing was sent: it was signed by/,
  )
  expect(stranger.stderr).toContain('--ca-file')
  expect(front.received).toBe(0)

  const first = serveNode(front.url, joining, ['--ca-file', authority.caFile])
  await untilOnline(hub, name, first)
  expect((await muster(hubHome.path, ['exec', name, '--', 'echo', 'through TLS'])).stdout).toBe('through TLS\n')
  await first.kill()
  const later = serveNode(front.url, { home })
  await until('it has joined again', async () => (later.log().includes('joined the hub') ? true : undefined), later)
  await untilOnline(hub, name, later)
})

it.each([
  { what: 'for another name', names: 'DNS:other.example', days: 2, says: /it is for DNS:other\.example, and not for localhost/ },
  { what: 'that has expired', names: 'DNS:localhost', days: -1, says: /it has expired/ },
])('a certificate $what ends a first join before anything is sent', async ({ names, days, says }) => {
  await using front = await openTlsFront(hub.url, await authority.issue(names, days))
  const refused = await refusedNode(front.url, await enrol(), ['--ca-file', authority.caFile])
  expect(refused.code).toBe(3)
  expect(refused.stderr).toMatch(says)
  expect(refused.stderr).toContain('nothing was sent')
  expect(front.received).toBe(0)
})

it('a pinned key needs no authority; another key is told nothing', async () => {
  const certificate = await authority.issue('DNS:localhost')
  await using front = await openTlsFront(hub.url, certificate)
  const joining = await enrol()
  front.present(await authority.issue('DNS:localhost'))
  const refused = await refusedNode(front.url, joining, ['--pin', pinOf(certificate)])
  expect(refused.stderr).toMatch(/its key is sha256\/\/\S+, and sha256\/\/\S+ was expected/)
  expect(front.received).toBe(0)
  front.present(certificate)
  await untilOnline(hub, joining.name, serveNode(front.url, joining, ['--pin', pinOf(certificate)]))
})

it('a node that has joined before outlasts a certificate that was not renewed in time', async () => {
  const certificate = await authority.issue('DNS:localhost')
  await using front = await openTlsFront(hub.url, certificate)
  const joining = await enrol()
  const first = serveNode(front.url, joining, ['--ca-file', authority.caFile])
  await untilOnline(hub, joining.name, first)
  await first.kill()
  front.present(await authority.issue('DNS:localhost', -1))
  const node = serveNode(front.url, { home: joining.home })
  await until(
    'it says so',
    async () => (/it has expired.*"msg":"not connected to the hub; dialling again"/.test(node.log()) ? true : undefined),
    node,
  )
  front.present(await authority.renew(certificate, 'DNS:localhost'))
  await until('it has joined', async () => (node.log().includes('joined the hub') ? true : undefined), node)
})

it('whoever ends TLS is not the hub: with a good certificate before another hub, no token is sent', async () => {
  await using otherHome = await makeHome()
  await using other = await serveHub(otherHome)
  await using front = await openTlsFront(other.url, await authority.issue('DNS:localhost'))
  const joining = await enrol()
  const refused = await refusedNode(front.url, joining, ['--ca-file', authority.caFile])
  expect(refused.code).toBe(3)
  expect(refused.stderr).toMatch(/The hub proved the key \w+, but \w+ was expected/)
  expect(front.received).toBeGreaterThan(0)
  await untilOnline(hub, joining.name, serveNode(hub.url.replace('http', 'ws'), joining))
})

it('a hub that serves no TLS there is told as that', async () => {
  const refused = await refusedNode(hub.url.replace('http:', 'https:'), await enrol())
  expect(refused.code).toBe(6)
  expect(refused.stderr).toMatch(/No TLS connection to wss:\/\/127\.0\.0\.1:\d+: what answers at this port does not speak TLS/)
})

it('whom to trust is not asked over ws://, and a pin that is none is refused before anything is opened', async () => {
  const joining = await enrol()
  const plain = await muster(joining.home.path, ['node', '--hub', 'ws://localhost:1', '--ca-file', 'ca.pem', '--token-stdin'])
  expect(plain).toMatchObject({ code: 2, stderr: expect.stringContaining('--ca-file and --pin go with wss://') })
  const pin = await refusedNode('https://localhost:1', joining, ['--pin', 'sha256//short'])
  expect(pin).toMatchObject({ code: 2, stderr: expect.stringContaining('44 characters of Base64') })
  const missing = await refusedNode('https://localhost:1', joining, ['--ca-file', '/nowhere/ca.pem'])
  expect(missing).toMatchObject({ code: 8, stderr: expect.stringContaining('/nowhere/ca.pem cannot be read') })
})

describe.skipIf(!hasProgram('nginx'))('through nginx', () => {
  /** More than the wire's keepalive, and little more. */
  const silentForS = Math.ceil((defaultLimits.keepaliveMs * 1.2) / 1000)

  it('output arrives whole, and a link on which nothing is said outlasts the time for which nginx lets one be silent', async () => {
    await using nginx = await openNginx(hub.url, await authority.issue('DNS:localhost'), { silentForS })
    const joining = await enrol()
    await untilOnline(hub, joining.name, serveNode(nginx.url, joining, ['--ca-file', authority.caFile]))
    const { since } = await hostNow(joining.name)

    const last = 3_000_000
    const lines = await muster(hubHome.path, ['exec', joining.name, '--', 'seq', '1', `${last}`])
    const expected = Array.from({ length: last }, (_, index) => `${index + 1}\n`).join('')
    expect(lines.stdout.length).toBe(expected.length)
    expect(lines.stdout === expected).toBe(true)

    const silent = await muster(hubHome.path, [
      'exec',
      joining.name,
      '--',
      'sh',
      '-c',
      `sleep ${silentForS * 1.25}; echo still there`,
    ])
    expect(silent).toMatchObject({ code: 0, stdout: 'still there\n' })
    // The same connection, and not another.
    expect(await hostNow(joining.name)).toMatchObject({ status: 'online', since })
  })
})

async function hostNow(name: string): Promise<{ status: string; since: string }> {
  const { hosts } = await musterJson<{ hosts: { name: string; status: string; since: string }[] }>(hubHome.path, ['host', 'list'])
  return hosts.find((host) => host.name === name) as { status: string; since: string }
}
