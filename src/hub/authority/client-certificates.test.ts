import { X509Certificate } from 'node:crypto'
import { join } from 'node:path'
import pino from 'pino'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { makeSigningRequest } from '../../connectors/tunnel/signing-request.ts'
import { installCertificate, requestCertificate } from '../../contract/certificate.ts'
import { failure } from '../../contract/errors.ts'
import { implement } from '../../contract/implementation.ts'
import { addEnrolment, removeNode, replaceEnrolment } from '../../store/nodes.ts'
import { savePairing } from '../../store/pairings.ts'
import { createFleet, type Fleet } from '../fleet.ts'
import { openTestHome, type TestHome, testHost } from '../test-parts.ts'
import { type Authority, openAuthority } from './authority.ts'
import { type ClientCertificates, clientCertificates } from './client-certificates.ts'

const day = 24 * 3600 * 1000
const box = { id: 'host_01ARZ3NDEKTSV4RRFFQ69G5FAV', name: 'box' }
const log = pino({ level: 'silent' })
let home: TestHome
let fleet: Fleet
let authority: Authority
let clients: ClientCertificates
let now: number

beforeEach(async () => {
  now = Date.now()
  home = await openTestHome()
  fleet = createFleet(testHost('local', []))
  authority = await openAuthority(join(home.dir, 'authority'), 'abcdef0123456789', () => now)
  clients = clientCertificates({ authority, store: home.store, fleet, now: () => now, log })
  await addEnrolment(home.store, { host: box.id, token: 'token' })
})
afterEach(() => home[Symbol.asyncDispose]())

/** A node that answers as one does, and what it was given. */
function node({ binding = 'same', answers = true, fails = false } = {}): X509Certificate[] {
  const given: X509Certificate[] = []
  const request = implement(requestCertificate, async () => ({ ...(await makeSigningRequest()), binding }))
  const install = implement(installCertificate, async ({ certificate }) => {
    if (fails) throw failure('file.unwritable', { file: 'x', problem: 'its disk is full' })
    given.push(new X509Certificate(certificate))
    return {}
  })
  fleet.add(testHost(box.id, answers ? [request, install] : []))
  return given
}

const admit = (shown?: X509Certificate) => clients.admit(box, shown)

it('is given when a host has none, and again from two thirds of its time on, not before', async () => {
  const given = node()
  await clients.joined(box.id, 'same')
  expect(given.length).toBe(1)
  now += (14 / 3) * day - 1000
  await clients.renewDue()
  expect(given.length).toBe(1)
  now += 1000
  await clients.renewDue()
  expect(given.length).toBe(2)
  await clients.joined(box.id, 'same')
  expect(given.length).toBe(2)
  expect(await admit(given[1])).toEqual({ renewalOnly: false })
  await expect(admit(given[0])).rejects.toMatchObject({ code: 'node.certificate_refused' })
  await expect(admit()).rejects.toMatchObject({ code: 'node.certificate_missing' })
})

it('one that the node has not confirmed is asked of nobody, and counts when it is shown', async () => {
  const given = node()
  await clients.joined(box.id, 'same')
  fleet.remove(box.id)
  const unconfirmed = node({ fails: true })
  now += 5 * day
  await clients.joined(box.id, 'same')
  expect(unconfirmed).toEqual([])
  expect(await admit(given[0])).toEqual({ renewalOnly: false })
  // Its retry is not at once, or a node with a full disk would be asked without end.
  await clients.renewDue()
  expect(await admit(given[0])).toEqual({ renewalOnly: false })
})

it('expired, it is good for renewal alone; ahead of its time for nothing', async () => {
  const given = node()
  await clients.joined(box.id, 'same')
  now += 7 * day - 1000
  expect(await admit(given[0])).toEqual({ renewalOnly: false })
  now += 2000
  expect(await admit(given[0])).toEqual({ renewalOnly: true })
  now += 365 * day
  expect(await admit(given[0])).toEqual({ renewalOnly: true })
  now -= 380 * day
  await expect(admit(given[0])).rejects.toMatchObject({ message: expect.stringContaining('not valid yet') })
})

it.each([
  { what: 'removed', take: () => removeNode(home.store, box.id) },
  { what: 'paired anew', take: () => savePairing(home.store, { host: box.id, publicKey: 'key', approvedBy: 'me' }) },
  { what: 'given another token', take: () => replaceEnrolment(home.store, { host: box.id, token: 'other' }) },
])('does not count any more once its host was $what, and nobody asks for one', async ({ take }) => {
  const given = node()
  await clients.joined(box.id, 'same')
  await take()
  await expect(admit(given[0])).rejects.toMatchObject({ code: 'node.certificate_refused' })
  expect(await admit()).toEqual({ renewalOnly: false })
})

it('a host that was removed while it was asked gets none that counts', async () => {
  const given = node()
  await removeNode(home.store, box.id)
  await clients.joined(box.id, 'same')
  expect(given).toEqual([])
})

it('a host with something before the hub, and one that knows no certificates, need none', async () => {
  const given = node({ binding: 'another' })
  await clients.joined(box.id, 'same')
  expect(given).toEqual([])
  expect(await admit()).toEqual({ renewalOnly: false })
  fleet.remove(box.id)
  node({ answers: false })
  await clients.joined(box.id, 'same')
  expect(await admit()).toEqual({ renewalOnly: false })
})

it('after a rotation all are renewed, and the former root counts until the last of them was', async () => {
  const given = node()
  await clients.joined(box.id, 'same')
  const former = authority.roots.current
  await authority.rotate()
  expect((await clients.countingRoots()).map(({ certificates }) => certificates)).toEqual([0, 1])
  expect(await admit(given[0])).toEqual({ renewalOnly: false })
  await clients.renewAll()
  expect(given.length).toBe(2)
  expect((await clients.countingRoots()).map(({ fingerprint }) => fingerprint)).toEqual([authority.roots.current.fingerprint])
  // What somebody signs who has kept the former root's key is on no record.
  expect(authority.signerOf(given[0] as X509Certificate)?.fingerprint).toBe(former.fingerprint)
  await expect(admit(given[0])).rejects.toMatchObject({ code: 'node.certificate_refused' })
})
