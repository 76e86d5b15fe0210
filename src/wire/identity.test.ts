import { chmod, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { fingerprintOf, loadIdentity, temporaryIdentity, verify } from './identity.ts'

async function inDirectory(work: (dir: string) => Promise<void>): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), 'muster-identity-'))
  try {
    await work(dir)
  } finally {
    await rm(dir, { recursive: true })
  }
}

test('a key is made once, for this account alone, and read again', () =>
  inDirectory(async (dir) => {
    const file = join(dir, 'key')
    const made = await loadIdentity(file)
    expect((await stat(file)).mode & 0o777).toBe(0o600)
    expect((await loadIdentity(file)).publicKey).toBe(made.publicKey)
    expect(made.publicKey).toMatch(/^[A-Za-z0-9_-]{43}$/)
    expect(made.fingerprint).toMatch(/^[0-9a-f]{32}$/)
  }))

test('many that make it at once get one key, and nothing is left beside it', () =>
  inDirectory(async (dir) => {
    const keys = await Promise.all(Array.from({ length: 8 }, () => loadIdentity(join(dir, 'key'))))
    expect(new Set(keys.map((key) => key.publicKey)).size).toBe(1)
    expect(await readdir(dir)).toEqual(['key'])
  }))

test('a key that others can read is refused', () =>
  inDirectory(async (dir) => {
    const file = join(dir, 'key')
    await loadIdentity(file)
    await chmod(file, 0o644)
    await expect(loadIdentity(file)).rejects.toMatchObject({ code: 'home.unusable' })
  }))

test('a file that is no key is refused, and kept', () =>
  inDirectory(async (dir) => {
    const file = join(dir, 'key')
    await writeFile(file, 'nonsense', { mode: 0o600 })
    await expect(loadIdentity(file)).rejects.toMatchObject({ code: 'home.unusable' })
  }))

test('a signature fits its key and its bytes only', () => {
  const [one, other] = [temporaryIdentity(), temporaryIdentity()]
  const bytes = Buffer.from('what was said')
  const signature = one.sign(bytes)
  expect(verify(one.publicKey, bytes, signature)).toBe(true)
  expect(verify(other.publicKey, bytes, signature)).toBe(false)
  expect(verify(one.publicKey, Buffer.from('what was sais'), signature)).toBe(false)
  expect(verify('no key', bytes, signature)).toBe(false)
  expect(fingerprintOf(one.publicKey)).toBe(one.fingerprint)
})
