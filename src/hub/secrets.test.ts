import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pino from 'pino'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Keychain } from './keychain.ts'
import { openSecrets } from './secrets.ts'

let home = ''
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'muster-secrets-'))
})
afterEach(() => rm(home, { recursive: true }))

const secret = 'mtok_do-not-tell'

function keychainOf(entries: Map<string, string>): Keychain {
  return {
    read: async (account) => entries.get(account),
    save: async (account, value) => void entries.set(account, value),
    remove: async (account) => void entries.delete(account),
  }
}

const refusing: Keychain = {
  read: async () => Promise.reject(new Error('no session bus.')),
  save: async () => Promise.reject(new Error('no session bus.')),
  remove: async () => Promise.reject(new Error('no session bus.')),
}

function open(keychain: Keychain) {
  const lines: string[] = []
  const log = pino({ level: 'trace' }, { write: (line) => void lines.push(line) })
  return { secrets: openSecrets({ dir: join(home, 'secrets'), keychain, log }), lines }
}

test('a keychain that works holds the secret, and nothing on disk does', async () => {
  const entries = new Map<string, string>()
  const { secrets } = open(keychainOf(entries))
  expect(await secrets.save('host_1', secret)).toBe('keychain')
  expect(await secrets.holder('host_1')).toBe('keychain')
  expect(await secrets.read('host_1')).toBe(secret)
  expect(entries).toEqual(new Map([['host_1', secret]]))
  expect(await readdir(join(home, 'secrets'))).toEqual(['host_1.keychain'])
  expect(await readFile(join(home, 'secrets', 'host_1.keychain'), 'utf8')).toBe('')
})

test.each([
  ['refuses', refusing],
  ['forgets what it was given', { ...refusing, save: async () => undefined, read: async () => undefined }],
])('where the keychain %s, a file that only this account may read holds it, and no log does', async (_, keychain) => {
  const { secrets, lines } = open(keychain)
  expect(await secrets.save('host_1', secret)).toBe('file')
  expect(await secrets.holder('host_1')).toBe('file')
  expect(await secrets.read('host_1')).toBe(secret)
  expect((await stat(join(home, 'secrets', 'host_1.secret'))).mode & 0o777).toBe(0o600)
  expect((await stat(join(home, 'secrets'))).mode & 0o777).toBe(0o700)
  expect(lines).toHaveLength(1)
  expect(lines.join('')).not.toContain(secret)
})

test('a host without a secret has none, whatever the keychain says', async () => {
  const { secrets } = open(refusing)
  expect(await secrets.holder('host_1')).toBe('none')
  expect(await secrets.read('host_1')).toBeUndefined()
  await secrets.remove('host_1')
})

test('a keychain that cannot be read any more is told as that, and not as a host without a secret', async () => {
  const entries = new Map<string, string>()
  await open(keychainOf(entries)).secrets.save('host_1', secret)
  const locked = open(refusing).secrets
  expect(await locked.holder('host_1')).toBe('keychain')
  await expect(locked.read('host_1')).rejects.toMatchObject({ code: 'secret.keychain', retryable: true })
  await expect(open(keychainOf(new Map())).secrets.read('host_1')).rejects.toMatchObject({ code: 'secret.keychain' })
})

test('a new secret takes the place of the former, also where another place holds it now', async () => {
  const entries = new Map<string, string>()
  await open(keychainOf(entries)).secrets.save('host_1', 'first')
  await open(refusing).secrets.save('host_1', 'second')
  expect(await open(refusing).secrets.read('host_1')).toBe('second')
  expect(await open(keychainOf(entries)).secrets.save('host_1', 'third')).toBe('keychain')
  expect(await open(keychainOf(entries)).secrets.read('host_1')).toBe('third')
  expect(await readdir(join(home, 'secrets'))).toEqual(['host_1.keychain'])
})

test('removing takes the entry along, from keychain and file alike', async () => {
  const entries = new Map<string, string>()
  const kept = open(keychainOf(entries)).secrets
  await kept.save('host_1', secret)
  await kept.remove('host_1')
  expect(entries.size).toBe(0)
  const filed = open(refusing).secrets
  await filed.save('host_2', secret)
  await filed.remove('host_2')
  await filed.remove('host_2')
  expect(await readdir(join(home, 'secrets'))).toEqual([])
})
