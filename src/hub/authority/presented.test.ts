import { X509Certificate } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { openAuthority } from './authority.ts'
import { presentFiles, presentOwn } from './presented.ts'
import { pinOf } from './x509.ts'

const day = 24 * 3600 * 1000
let dir: string
let now: number
const file = (name: string) => join(dir, name)

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'muster-presented-'))
  now = Date.now()
})
afterEach(() => rm(dir, { recursive: true }))

const open = () => openAuthority(file('authority'), 'abcdef0123456789', () => now)

it('its own certificate is for loopback and the names that are given, and is renewed after two thirds of its 7 days', async () => {
  const authority = await open()
  const presenter = await presentOwn(authority, ['192.0.2.7', 'hub.example:7878', '[2001:db8::1]:80'], () => now)
  const first = presenter.now
  const leaf = new X509Certificate(first.cert)
  for (const name of ['hub.example', 'localhost']) expect(leaf.checkHost(name)).toBe(name)
  for (const address of ['192.0.2.7', '2001:db8::1', '127.0.0.1', '::1']) expect(leaf.checkIP(address)).toBe(address)
  expect(leaf.checkHost('other.example')).toBeUndefined()
  expect(first.pin).toBe(authority.roots.current.pin)

  now += 4.6 * day
  expect(await presenter.look()).toBe(false)
  now += 0.1 * day
  expect(await presenter.look()).toBe(true)
  expect(presenter.now.key).not.toBe(first.key)
  expect(Date.parse(new X509Certificate(presenter.now.cert).validTo)).toBeGreaterThan(now + 6.9 * day)
  expect(await presenter.look()).toBe(false)
  await authority.rotate()
  expect(await presenter.look()).toBe(true)
  expect(presenter.now.pin).toBe(authority.roots.current.pin)
})

it('files are read again when they change, and a pair that does not fit is told once and changes nothing', async () => {
  const authority = await open()
  const pair = () => authority.issueServer(['hub.example'])
  const [first, second] = [await pair(), await pair()]
  await writeFile(file('cert.pem'), first.certificate)
  await writeFile(file('key.pem'), first.key)
  const presenter = await presentFiles(file('cert.pem'), file('key.pem'))
  expect(presenter.now).toMatchObject({ cert: first.certificate, key: first.key, pin: pinOf(first.certificate) })
  expect(await presenter.look()).toBe(false)

  await writeFile(file('cert.pem'), second.certificate)
  await expect(presenter.look()).rejects.toMatchObject({
    code: 'file.unreadable',
    message: expect.stringContaining('not the key'),
  })
  expect(await presenter.look()).toBe(false)
  expect(presenter.now.cert).toBe(first.certificate)
  await writeFile(file('key.pem'), second.key)
  expect(await presenter.look()).toBe(true)
  expect(presenter.now.cert).toBe(second.certificate)
  await rm(file('key.pem'))
  await expect(presenter.look()).rejects.toMatchObject({ code: 'file.unreadable' })

  await writeFile(file('key.pem'), 'none')
  await expect(presentFiles(file('cert.pem'), file('key.pem'))).rejects.toMatchObject({ code: 'file.unreadable' })
  await writeFile(file('key.pem'), second.key)
  await writeFile(file('chain.pem'), second.certificate + authority.chain)
  // The root changes least.
  expect((await presentFiles(file('chain.pem'), file('key.pem'))).now.pin).toBe(authority.roots.current.pin)
})
