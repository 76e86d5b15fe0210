// The http connector against real API servers in this process: its states with their reasons, and what a caller is told.

import { createPublicKey } from 'node:crypto'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, test, vi } from 'vitest'
import { hasProgram } from '../../../scripts/system-parts.ts'
import { failure } from '../../../src/contract/errors.ts'
import { followEvents } from '../../../src/contract/event.ts'
import { getHubInfo } from '../../../src/contract/fleet.ts'
import { implement, type Principal } from '../../../src/contract/implementation.ts'
import { scopes } from '../../../src/contract/operation.ts'
import { readOutput } from '../../../src/contract/output.ts'
import { applyProc } from '../../../src/contract/proc.ts'
import { cancelRun, getRun, type RunSpecInput, startRun } from '../../../src/contract/run.ts'
import { temporaryIdentity } from '../../../src/wire/identity.ts'
import { keyPin } from '../../../src/wire/key-pin.ts'
import { makeAuthority, openTlsFront } from '../../resources/certificates.ts'
import { makeHome } from '../../resources/home.ts'
import { openProxy } from '../../resources/proxy.ts'
import { hubInfo, openHttp, serveOtherHub, untilAway, untilOnline } from './parts.ts'

const spec: RunSpecInput = { kind: 'command', argv: ['true'] }

test('it comes online by itself, and a host that was never reached says why and never a time', async () => {
  await using other = await serveOtherHub()
  await using proxy = await openProxy(other.url)
  proxy.refuse()
  await using connector = openHttp({ config: { url: proxy.url } })
  expect(await untilAway(connector, /^The connection closed/)).toMatchObject({ status: 'never_seen', since: null })
  proxy.mend()
  await untilOnline(connector)
})

test('a host that was there keeps the time at which it was lost, whatever is the matter with it later', async () => {
  await using other = await serveOtherHub()
  const { port } = other
  let token = 'operator'
  await using connector = openHttp({ config: { url: other.url }, token: () => token })
  await untilOnline(connector)
  await other.close()
  const { since } = await untilAway(connector, /^refused: nothing listens there$/)
  token = 'nobody'
  await using again = await serveOtherHub([], { port })
  expect(await untilAway(connector, /^unauthorised/)).toMatchObject({ status: 'offline', since })
  expect(again.reached).toEqual([])
})

test.each([
  {
    what: 'no token',
    token: undefined,
    reason:
      /^unauthorised: this hub has no token for it; give it one with `muster host token prod --token-stdin`; .*muster token create/,
  },
  { what: 'a token that is not known', token: 'nobody', reason: /^unauthorised: its hub does not take the token/ },
])('$what is told with the command that mends it, and a new one counts without a restart', async ({ token, reason }) => {
  await using other = await serveOtherHub()
  let shown = token
  await using connector = openHttp({ config: { url: other.url }, token: () => shown })
  await untilAway(connector, reason)
  shown = 'operator'
  await untilOnline(connector)
})

test('a token that is revoked takes the host offline as soon as a call shows it', async () => {
  let revoked = false
  const operator: Principal = { kind: 'user', id: 'tok', role: 'operator', scopes: new Set(scopes) }
  await using other = await serveOtherHub([], { authenticate: async () => (revoked ? undefined : operator) })
  await using connector = openHttp({ config: { url: other.url } })
  const caller = await untilOnline(connector)
  revoked = true
  await expect(caller.call(getRun, { run: 'r1' })).rejects.toMatchObject({
    code: 'host.offline',
    message: expect.stringContaining('unauthorised'),
  })
  await vi.waitFor(() => expect(connector.state.status).toBe('offline'), 30_000)
})

test("another hub's refusals are told as the host's, not as this hub's", async () => {
  await using other = await serveOtherHub()
  await using connector = openHttp({ config: { url: other.url }, token: () => 'viewer' })
  const caller = await untilOnline(connector)
  await expect(caller.call(startRun, { run: 'r1', spec })).rejects.toMatchObject({
    code: 'host.token_role',
    status: 403,
    message: 'The token that this hub has for prod does not allow run.start.',
  })
  expect(connector.state.status).toBe('online')
})

test('errors of the work itself stay as they are, and say nothing about the link', async () => {
  await using other = await serveOtherHub([
    implement(getRun, async ({ run }) => {
      throw failure('run.unknown', { run })
    }),
    implement(startRun, async () => {
      throw failure('policy.denied', { command: 'runs' })
    }),
  ])
  await using connector = openHttp({ config: { url: other.url } })
  const caller = await untilOnline(connector)
  await expect(caller.call(getRun, { run: 'r1' })).rejects.toMatchObject({ code: 'run.unknown' })
  await expect(caller.call(startRun, { run: 'r1', spec })).rejects.toMatchObject({ code: 'policy.denied' })
  expect(connector.state.status).toBe('online')
})

test('an operation that an older hub does not know names both versions', async () => {
  await using other = await serveOtherHub([
    implement(applyProc, async () => {
      throw failure('operation.unknown', { operation: 'proc.apply' })
    }),
  ])
  await using connector = openHttp({ config: { url: other.url } })
  const caller = await untilOnline(connector)
  await expect(caller.call(applyProc, { proc: 'p', spec: { argv: ['true'] } } as never)).rejects.toMatchObject({
    code: 'host.version',
    message: 'Host prod runs Muster 1.0.0, which does not know proc.apply; this hub runs 2.0.0.',
  })
})

test('what was never sent is told apart from what was sent and not answered', async () => {
  const started = vi.fn<() => void>()
  await using other = await serveOtherHub([
    implement(startRun, async (_input, { signal }) => {
      started()
      await once(signal, 'abort')
      throw signal.reason
    }),
  ])
  await using proxy = await openProxy(other.url)
  await using connector = openHttp({ config: { url: proxy.url } })
  const caller = await untilOnline(connector)
  const asked = expect(caller.call(startRun, { run: 'r1', spec })).rejects.toMatchObject({ code: 'wire.closed', retryable: true })
  await vi.waitFor(() => expect(started).toHaveBeenCalledOnce(), 30_000)
  proxy.cut()
  await asked
  await other.close()
  await proxy[Symbol.asyncDispose]()
  await untilAway(connector, /refused/)
  await expect(caller.call(startRun, { run: 'r1', spec })).rejects.toMatchObject({ code: 'host.offline', retryable: true })
  expect(started).toHaveBeenCalledOnce()
})

test('a hub that goes silent is offline as timed out, and no call waits for it', async () => {
  const reached = vi.fn<() => void>()
  await using other = await serveOtherHub([
    implement(getRun, async (_input, { signal }) => {
      reached()
      await once(signal, 'abort')
      throw signal.reason
    }),
  ])
  await using proxy = await openProxy(other.url)
  await using connector = openHttp({ config: { url: proxy.url } })
  const caller = await untilOnline(connector)
  const asked = expect(caller.call(getRun, { run: 'r1' })).rejects.toMatchObject({ code: 'wire.closed' })
  await vi.waitFor(() => expect(reached).toHaveBeenCalledOnce(), 30_000)
  proxy.swallow()
  await untilAway(connector, /^timed out/)
  await asked
  proxy.mend()
  await untilOnline(connector)
})

test('reads go on after cuts and a long absence without a gap or a repeat, for as long as their readers stay', async () => {
  let total = 3
  const grew = new EventTarget()
  const handlers = [
    implement(followEvents, async function* ({ after }, { signal }) {
      for (let seq = after + 1; seq <= 300; seq++) {
        while (seq > total) await once(grew, 'grew', { signal })
        yield { seq, at: '2026-01-01T00:00:00.000Z', type: 'state' as const, state: 'running' as const }
      }
    }),
    implement(readOutput, async function* ({ offset }, { signal }) {
      for (let at = offset; at < 300; at++) {
        while (at >= total) await once(grew, 'grew', { signal })
        yield Uint8Array.of(at % 256)
      }
    }),
  ]
  const other = await serveOtherHub(handlers)
  const { port } = other
  await using connector = openHttp({ config: { url: other.url } })
  const caller = await untilOnline(connector)
  const seen: number[] = []
  const bytes: number[] = []
  const reading = Promise.all([
    (async () => {
      for await (const { seq } of caller.items(followEvents, { run: 'r1', follow: true })) seen.push(seq)
    })(),
    (async () => {
      for await (const chunk of caller.bytes(readOutput, { run: 'r1', follow: true })) bytes.push(...chunk)
    })(),
  ])
  await vi.waitFor(() => expect(seen.length + bytes.length).toBe(6), 30_000)
  await other.close()
  await untilAway(connector, /refused/)
  total = 300
  await using _again = await serveOtherHub(handlers, { port })
  await reading
  expect(seen).toEqual(Array.from({ length: 300 }, (_, index) => index + 1))
  expect(bytes).toEqual(Array.from({ length: 300 }, (_, index) => index % 256))
})

test('a reader is told, and does not wait, when the token was revoked meanwhile', async () => {
  await using other = await serveOtherHub([
    implement(followEvents, async function* ({ after }, { signal }) {
      if (after === 0) yield { seq: 1, at: '2026-01-01T00:00:00.000Z', type: 'state' as const, state: 'running' as const }
      await once(signal, 'abort')
    }),
  ])
  await using proxy = await openProxy(other.url)
  let token = 'operator'
  await using connector = openHttp({ config: { url: proxy.url }, token: () => token })
  const caller = await untilOnline(connector)
  const events = caller.items(followEvents, { run: 'r1', follow: true })[Symbol.asyncIterator]()
  expect(await events.next()).toMatchObject({ value: { seq: 1 } })
  const next = expect(events.next()).rejects.toMatchObject({ code: 'host.offline' })
  token = 'nobody'
  proxy.cut()
  await untilAway(connector, /^unauthorised/)
  await next
})

test('a URL that leads back to the hub itself is a loop, also where a proxy drops the header that says so', async () => {
  const identity = temporaryIdentity()
  await using other = await serveOtherHub([], { id: identity.fingerprint })
  await using connector = openHttp({ config: { url: other.url }, identity })
  await untilAway(connector, /^loop: the URL leads back to this hub$/)
  expect(other.reached).toEqual([])

  await using forgetful = await serveOtherHub([
    implement(getHubInfo, async () => ({ ...hubInfo, id: identity.fingerprint, key: identity.fingerprint })),
  ])
  await using hidden = openHttp({ config: { url: forgetful.url }, identity })
  await untilAway(hidden, /^loop: the URL leads back to this hub$/)
})

test('another hub at the same address is not taken for the first', async () => {
  const first = await serveOtherHub()
  await using connector = openHttp({ config: { url: first.url } })
  await untilOnline(connector)
  await first[Symbol.asyncDispose]()
  await untilAway(connector, /^refused/)
  await using _second = await serveOtherHub([implement(getHubInfo, async () => ({ ...hubInfo, id: 'a new one' }))], {
    port: first.port,
  })
  await untilAway(connector, /^Another hub answers for prod: it is a new one, and hub-under-test was there before$/)
})

test('closing ends what is in flight at once, and nothing is asked any more', async () => {
  await using other = await serveOtherHub([
    implement(followEvents, async function* (_input, { signal }) {
      await once(signal, 'abort')
      yield* []
    }),
    implement(cancelRun, async (_input, { signal }) => {
      await once(signal, 'abort')
      throw signal.reason
    }),
  ])
  const connector = openHttp({ config: { url: other.url } })
  const caller = await untilOnline(connector)
  const reason = failure('node.unknown')
  const ends = [
    expect(caller.items(followEvents, { run: 'r1', follow: true })[Symbol.asyncIterator]().next()).rejects.toBe(reason),
    expect(caller.call(cancelRun, { run: 'r1' })).rejects.toBe(reason),
  ]
  await vi.waitFor(() => expect(other.reached).toContain('run.cancel'), 30_000)
  await vi.waitFor(() => expect(other.reached).toContain('run.events'), 30_000)
  await connector.close(reason)
  await Promise.all(ends)
  const asked = other.reached.length
  await expect(caller.call(getRun, { run: 'r1' })).rejects.toBe(reason)
  expect(other.reached).toHaveLength(asked)
  expect(connector.state).toMatchObject({ status: 'offline' })
})

test('its watchers are told of a reason once, however often it is met', async () => {
  let asked = 0
  const told = vi.fn<() => void>()
  await using connector = openHttp({
    config: { url: 'https://localhost:1', caFile: '/nowhere/ca.pem' },
    token: () => {
      asked++
      return 'operator'
    },
  })
  connector.onChange(told)
  await vi.waitFor(() => expect(asked).toBeGreaterThan(2), { timeout: 30_000 })
  expect(told).toHaveBeenCalledOnce()
})

test.each([
  ['a page', 200, '<html>hi', /not as expected/],
  ['some other JSON', 200, '{"status":"ok"}', /not as expected: id: [^;]*$/],
  ['nothing there', 404, '<html>not found', /HTTP 404 without problem details/],
  ['a login of its own', 401, '<html>log in', /HTTP 401 without problem details/],
  ['another address', 302, '', /HTTP 302 without problem details/],
])('what answers with %s is not taken for a hub, and that is said', async (_, status, body, problem) => {
  const stranger = createServer((_request, response) => response.writeHead(status, { Location: '/login' }).end(body))
  stranger.listen(0, '127.0.0.1')
  await once(stranger, 'listening')
  await using connector = openHttp({ config: { url: `http://127.0.0.1:${(stranger.address() as AddressInfo).port}` } })
  const { reason } = await untilAway(connector, /^what answers there is no Muster hub/)
  expect(reason).toMatch(problem)
  stranger.closeAllConnections()
  stranger.close()
})

test('plain http beyond this machine is refused, unless the record takes the risk', async () => {
  const config = { url: 'http://192.0.2.1:7878' }
  expect(() => openHttp({ config })).toThrow(expect.objectContaining({ code: 'link.insecure' }))
  await using _allowed = openHttp({ config: { ...config, insecure: true } })
})

describe.skipIf(!hasProgram('openssl'))('over https', () => {
  test('a private authority is a file that may be changed while the hub runs', async () => {
    await using home = await makeHome()
    await using authority = await makeAuthority()
    await using former = await makeAuthority()
    await using other = await serveOtherHub()
    await using front = await openTlsFront(other.url, await authority.issue('DNS:localhost'))
    const caFile = `${home.path}/ca.pem`
    await writeFile(caFile, former.ca)
    await using connector = openHttp({ config: { url: front.url, caFile } })
    await untilAway(connector, /certificate of .*localhost.* is not trusted, and nothing was sent: it was signed by an authority/)
    expect(front.received).toBe(0)
    await writeFile(caFile, authority.ca)
    await untilOnline(connector)
  })

  test('a pinned key needs no authority, and another key is told nothing', async () => {
    await using authority = await makeAuthority()
    await using other = await serveOtherHub()
    const certificate = await authority.issue('DNS:localhost')
    await using front = await openTlsFront(other.url, certificate)
    const pin = keyPin(createPublicKey(certificate.key).export({ type: 'spki', format: 'der' }))
    await using connector = openHttp({ config: { url: front.url, pin } })
    await untilOnline(connector)
    await connector.close(failure('node.unknown'))
    const { received } = front
    front.present(await authority.issue('DNS:localhost'))
    await using stranger = openHttp({ config: { url: front.url, pin } })
    await untilAway(stranger, /its key is sha256/)
    expect(front.received).toBe(received)
  })

  test.each([
    ['has expired', 'DNS:localhost', -1, /certificate of .*localhost.* is not trusted, and nothing was sent: it has expired/],
    [
      'is for another name',
      'DNS:other.example',
      2,
      /is not trusted, and nothing was sent: it is for DNS:other\.example, and not for localhost/,
    ],
  ])('a certificate that %s is the reason, and nothing is sent', async (_, names, days, reason) => {
    await using home = await makeHome()
    await using authority = await makeAuthority()
    await using other = await serveOtherHub()
    await using front = await openTlsFront(other.url, await authority.issue(names, days))
    const caFile = `${home.path}/ca.pem`
    await writeFile(caFile, authority.ca)
    await using connector = openHttp({ config: { url: front.url, caFile } })
    await untilAway(connector, reason)
    expect(front.received).toBe(0)
  })

  test.each(['hello', '-----BEGIN CERTIFICATE-----\nhello\n-----END CERTIFICATE-----\n'])(
    'a file of authorities with no certificate in it (%j) is named',
    async (text) => {
      await using home = await makeHome()
      const caFile = `${home.path}/ca.pem`
      await writeFile(caFile, text)
      await using connector = openHttp({ config: { url: 'https://localhost:1', caFile } })
      await untilAway(connector, /ca\.pem cannot be read: it holds no certificate as PEM/)
    },
  )

  test('a file of authorities that is not there is named', async () => {
    await using connector = openHttp({ config: { url: 'https://localhost:1', caFile: '/nowhere/ca.pem' } })
    await untilAway(connector, /\/nowhere\/ca\.pem cannot be read: there is no such file/)
  })

  test('https to a port that serves plain http says so', async () => {
    await using other = await serveOtherHub()
    await using connector = openHttp({ config: { url: other.url.replace('http', 'https') } })
    await untilAway(connector, /does not speak TLS/)
  })
})
