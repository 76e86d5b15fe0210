// Certificates of nodes, over real TLS that ends at the hub: who gets in with which, and how they are given, renewed and taken back.

import { X509Certificate } from 'node:crypto'
import { stat } from 'node:fs/promises'
import { connect, createServer } from 'node:tls'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { listAudit } from '../../src/contract/audit.ts'
import { rotateAuthority, showAuthority } from '../../src/contract/certificate.ts'
import { getHostInfo, removeHost, replaceHostToken, showHost } from '../../src/contract/host.ts'
import type { Implementation } from '../../src/contract/implementation.ts'
import { linkOperations } from '../../src/contract/operations.ts'
import { type Authority, makeAuthority } from '../resources/certificates.ts'
import { until } from '../resources/muster.ts'
import { type Dialled, type Machine, openTlsHub, type TlsHub } from './tls-hub.ts'

const day = 24 * 3600 * 1000

/** A certificate for the listener that outlasts the hub's clock, which these tests move. */
let authority: Authority
let files: { certFile: string; keyFile: string }
beforeAll(async () => {
  authority = await makeAuthority()
  files = await authority.files('DNS:localhost,IP:127.0.0.1')
})
afterAll(() => authority?.[Symbol.asyncDispose]())

async function openHub(tls: Parameters<typeof openTlsHub>[0] = files): Promise<TlsHub> {
  const hub = await openTlsHub(tls)
  onTestFinished(() => hub[Symbol.asyncDispose]())
  return hub
}

/** One that has joined, has its certificate, and has gone again. */
async function withCertificate(hub: TlsHub, name: string): Promise<Machine> {
  const machine = await hub.enrol(name)
  const first = machine.dial({ token: machine.token, caFile: authority.caFile })
  await machine.untilOnline(first)
  await shown(machine)
  await first.stop()
  return machine
}

/** The certificate that it keeps, once it is another than `former`. */
function shown(machine: Machine, former?: string): Promise<X509Certificate> {
  return until(`${machine.name} has a certificate`, async () => {
    const kept = await machine.certificate().catch(() => undefined)
    const certificate = kept?.shown ? new X509Certificate(kept.shown.cert) : undefined
    return certificate && certificate.fingerprint256 !== former ? certificate : undefined
  })
}

async function refusal(machine: Machine): Promise<{ code: string; message: string }> {
  const { code, message } = (await machine.dial().ended) ?? { code: 'none', message: '' }
  return { code, message }
}

it('a node gets one over its link, of its own host id, kept for its account alone, and is let in with it', async () => {
  const hub = await openHub()
  const machine = await withCertificate(hub, 'box')
  const certificate = await shown(machine)
  expect(certificate.subject).toBe(`CN=${machine.host}`)
  expect((await stat(machine.file)).mode & 0o777).toBe(0o600)
  const again = machine.dial()
  await machine.untilOnline(again)
  expect((await shown(machine)).fingerprint256).toBe(certificate.fingerprint256)
})

it('nobody of the hub can ask for a certificate, or give one: only the hub itself', async () => {
  const hub = await openHub()
  const { name } = await withCertificate(hub, 'box')
  const offered = await hub.host(name)
  expect(offered.has(getHostInfo.name)).toBe(true)
  for (const operation of linkOperations) {
    expect(offered.has(operation.name)).toBe(false)
    expect(operation.http).toBeNull()
  }
})

describe('a host that was given a certificate is refused', () => {
  let hub: TlsHub
  let machine: Machine
  beforeAll(async () => {
    hub = await openTlsHub(files)
    machine = await withCertificate(hub, 'box')
  })
  afterAll(() => hub?.[Symbol.asyncDispose]())

  it('with none', async () => {
    const kept = await machine.certificate()
    await machine.keep(undefined)
    expect(await refusal(machine)).toMatchObject({ code: 'node.certificate_missing', message: expect.stringContaining('box') })
    await machine.keep(kept)
  })

  it('with one of another authority, that says the same', async () => {
    const kept = await machine.certificate()
    const { key, cert } = await authority.issue(`URI:urn:muster:host:${machine.host}`, 2, machine.host)
    await machine.keep({ ...kept, shown: { key, cert } })
    expect(await refusal(machine)).toMatchObject({
      code: 'node.certificate_refused',
      message: expect.stringContaining('another authority has signed it'),
    })
    await machine.keep(kept)
  })

  it("with another host's", async () => {
    const kept = await machine.certificate()
    const other = await withCertificate(hub, 'other')
    await machine.keep(await other.certificate())
    expect(await refusal(machine)).toMatchObject({
      code: 'node.certificate_refused',
      message: expect.stringContaining('it is that of another host'),
    })
    await machine.keep(kept)
  })

  it('with one that was replaced, while the one that replaced it counts', async () => {
    const kept = await machine.certificate()
    hub.pass(5 * day)
    const node = machine.dial()
    await machine.untilOnline(node)
    await shown(machine, new X509Certificate(kept.shown?.cert ?? '').fingerprint256)
    await node.stop()
    const fresh = await machine.certificate()
    await machine.keep(kept)
    expect(await refusal(machine)).toMatchObject({
      code: 'node.certificate_refused',
      message: expect.stringContaining('revoked, or replaced'),
    })
    await expect(machine.leave()).rejects.toMatchObject({ code: 'node.certificate_refused' })
    await machine.keep(fresh)
    await machine.untilOnline(machine.dial())
  })
})

it('whoever cannot be a host cannot take it out of the fleet; its own machine can', async () => {
  const hub = await openHub()
  const machine = await withCertificate(hub, 'box')
  const kept = await machine.certificate()
  await machine.keep(undefined)
  await expect(machine.leave()).rejects.toMatchObject({ code: 'node.certificate_missing' })
  await machine.keep(kept)
  expect(await hub.caller.call(showHost, { host: 'box' })).toMatchObject({ id: machine.host })
  await machine.leave()
  await expect(hub.caller.call(showHost, { host: 'box' })).rejects.toMatchObject({ code: 'host.unknown' })
  const { entries } = await hub.caller.call(listAudit, { action: 'node.leave' })
  expect(entries).toMatchObject([{ actor: { kind: 'node', id: machine.host }, host: machine.host, decision: 'allowed' }])
})

it('it is renewed over the live link after two thirds of its time, with another key, and the link stays', async () => {
  const hub = await openHub()
  const machine = await hub.enrol('box')
  const node = machine.dial({ token: machine.token, caFile: authority.caFile })
  await machine.untilOnline(node)
  const first = await shown(machine)
  const { since } = await hub.caller.call(showHost, { host: 'box' })
  hub.pass(4.7 * day)
  const second = await shown(machine, first.fingerprint256)
  expect(second.publicKey.equals(first.publicKey)).toBe(false)
  expect(await hub.caller.call(showHost, { host: 'box' })).toMatchObject({ status: 'online', since })
  expect(node.states.length).toBe(1)
})

it('a machine that slept for 30 days is given a fresh one over a connection that carries nothing else, and is let in with that', async () => {
  const hub = await openHub()
  const machine = await withCertificate(hub, 'box')
  const expired = await shown(machine)
  hub.pass(30 * day)
  const asked = new Map<number, Set<string>>()
  const node: Dialled = machine.dial({ offers: (its) => noted(its, (name) => of(node.states.length).add(name)) })
  /** What was asked before the node had told of so many changes. */
  const of = (states: number) => asked.get(states) ?? (asked.set(states, new Set()).get(states) as Set<string>)
  await machine.untilOnline(node)
  const fresh = await shown(machine, expired.fingerprint256)
  expect([...of(0), ...of(1)]).toEqual([])
  expect(of(3)).toContain(getHostInfo.name)
  // The connection over which it was renewed ended, and another was made.
  expect(node.states.map(({ online }) => online)).toEqual([true, false, true])
  expect((await shown(machine)).fingerprint256).toBe(fresh.fingerprint256)
})

it('a machine that slept and has lost its certificate waits for a person', async () => {
  const hub = await openHub()
  const machine = await withCertificate(hub, 'box')
  hub.pass(30 * day)
  await machine.keep(undefined)
  expect(await refusal(machine)).toMatchObject({ code: 'node.certificate_missing' })
  const { joining } = await hub.caller.call(replaceHostToken, { host: 'box', probe: false })
  await machine.untilOnline(machine.dial({ token: joining?.token ?? '' }))
})

it('another token takes back what was given before; with it the machine comes in, and gets another', async () => {
  const hub = await openHub()
  const machine = await hub.enrol('box')
  const node = machine.dial({ token: machine.token, caFile: authority.caFile })
  await machine.untilOnline(node)
  const first = await shown(machine)
  const at = performance.now()
  const { joining } = await hub.caller.call(replaceHostToken, { host: 'box', probe: false })
  expect(await node.ended).toMatchObject({ code: 'node.token_replaced' })
  expect(performance.now() - at).toBeLessThan(10_000)
  await machine.untilOnline(machine.dial({ token: joining?.token ?? '' }))
  await shown(machine, first.fingerprint256)
})

it('a removed host loses its link and its certificate', async () => {
  const hub = await openHub()
  const machine = await hub.enrol('box')
  const node = machine.dial({ token: machine.token, caFile: authority.caFile })
  await machine.untilOnline(node)
  await shown(machine)
  const at = performance.now()
  await hub.caller.call(removeHost, { host: 'box' })
  expect(await node.ended).toMatchObject({ code: 'node.unknown' })
  expect(performance.now() - at).toBeLessThan(1_000)
  expect(await refusal(machine)).toMatchObject({ code: 'node.unknown' })
})

it('a node trusts the hub by the pin of its authority, and goes on with the same pin through two rotations', async () => {
  const hub = await openHub({ names: ['127.0.0.1'] })
  const machine = await hub.enrol('box')
  const pin = machine.pin as string
  const stranger = await hub.enrol('stranger')
  const refused = await stranger.dial({ token: stranger.token }).ended
  expect(refused).toMatchObject({ code: 'link.certificate' })

  const node = machine.dial({ token: machine.token, pin })
  await machine.untilOnline(node)
  let last = await shown(machine)
  for (let rotation = 1; rotation <= 2; rotation++) {
    const before = await hub.caller.call(showAuthority, {})
    await hub.caller.call(rotateAuthority, {})
    last = await shown(machine, last.fingerprint256)
    const after = await until('the former root counts no more', async () => {
      const now = await hub.caller.call(showAuthority, {})
      return now.former.length === 0 ? now : undefined
    })
    expect(after.pin).not.toBe(before.pin)
    expect(last.checkIssued(new X509Certificate(after.certificate))).toBe(true)
  }
  expect(node.states.length).toBe(1)
  await node.stop()
  const { roots } = await machine.certificate()
  expect(roots?.pin).toBe(pin)
  expect(roots?.certificates).toContain((await hub.caller.call(showAuthority, {})).certificate)
  await machine.untilOnline(machine.dial({ pin }))
  // One that was away all the time, and one that is printed its command now.
  await stranger.untilOnline(stranger.dial({ token: stranger.token, pin }))
  const late = await hub.enrol('late')
  expect(late.pin).not.toBe(pin)
  await late.untilOnline(late.dial({ token: late.token, pin: late.pin as string }))
})

it('behind something that ends TLS and makes another to the hub, a host gets none and needs none', async () => {
  const hub = await openHub()
  const { url } = await reEncrypting(hub.url)
  const machine = await hub.enrol('box')
  const node = machine.dial({ url, caFile: authority.caFile, token: machine.token })
  await machine.untilOnline(node)
  await until('the hub has asked', async () => (hub.logged('TLS to this host ends before the hub') ? true : undefined))
  expect(await machine.certificate().catch(() => 'none')).toBe('none')
  await node.stop()
  await machine.untilOnline(machine.dial({ url }))
})

/** Tells of what is asked of the host itself. */
function noted(its: Implementation, note: (name: string) => void): Implementation {
  return new Map(
    [...its].map(([name, { operation, handle }]) => [
      name,
      {
        operation,
        handle: (...asked) => {
          note(name)
          return handle(...asked)
        },
      },
    ]),
  )
}

async function reEncrypting(target: string): Promise<{ url: string }> {
  const { cert, key } = await authority.issue('DNS:localhost,IP:127.0.0.1')
  const { port } = new URL(target)
  const server = createServer({ cert, key }, (client) => {
    const upstream = connect({ port: Number(port), host: '127.0.0.1', ca: authority.ca })
    client.on('error', () => upstream.destroy()).on('close', () => upstream.destroy())
    upstream.on('error', () => client.destroy()).on('close', () => client.destroy())
    client.pipe(upstream).pipe(client)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  return { url: `wss://127.0.0.1:${(server.address() as { port: number }).port}` }
}
