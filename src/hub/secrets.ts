// Hosts' secrets: in the system's keychain where one works, else each in a file that only this account may read. Never in a record.
// Used by the membership, and by connectors through their context.
//
// What holds a secret is said by the folder: `<host>.secret` is the secret itself, `<host>.keychain` an empty note that the keychain
// has it. So a keychain that cannot be asked for a while (no session, locked) is told apart from a host that has no secret.

import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Logger } from 'pino'
import { failure } from '../contract/errors.ts'
import { type Keychain, systemKeychain } from './keychain.ts'

export type SecretHolder = 'keychain' | 'file' | 'none'

export interface Secrets {
  /** Undefined where the host has none. Throws `secret.keychain` while the keychain that holds it cannot be read. */
  read(host: string): Promise<string | undefined>
  holder(host: string): Promise<SecretHolder>
  /** Durable when it resolves; takes the place of the former one. */
  save(host: string, secret: string): Promise<SecretHolder>
  /** The hosts that one is kept of. */
  hosts(): Promise<string[]>
  /** Removing what is not there is no error. Null, or why the keychain's entry stays where it is. */
  remove(host: string): Promise<string | null>
}

export interface SecretsOf {
  /** Made, for this account alone, with the first secret. */
  readonly dir: string
  readonly log: Logger
  readonly keychain?: Keychain
}

export function openSecrets({ dir, log, keychain = systemKeychain() }: SecretsOf): Secrets {
  const secretFile = (host: string) => join(dir, `${host}.secret`)
  const noteFile = (host: string) => join(dir, `${host}.keychain`)

  async function read(host: string): Promise<string | undefined> {
    const kept = await contentOf(secretFile(host))
    if (kept !== undefined) return kept
    if ((await contentOf(noteFile(host))) === undefined) return undefined
    try {
      const secret = await keychain.read(host)
      if (secret !== undefined) return secret
    } catch (error) {
      throw failure('secret.keychain', { host, problem: describe(error) }, { cause: error })
    }
    throw failure('secret.keychain', { host, problem: 'it no longer has it' })
  }

  async function holder(host: string): Promise<SecretHolder> {
    if ((await contentOf(secretFile(host))) !== undefined) return 'file'
    return (await contentOf(noteFile(host))) === undefined ? 'none' : 'keychain'
  }

  async function save(host: string, secret: string): Promise<SecretHolder> {
    await mkdir(dir, { recursive: true, mode: 0o700 })
    try {
      await keychain.save(host, secret)
      // Some keychains take an entry and forget it: only one that gives it back holds it.
      if ((await keychain.read(host)) !== secret) throw new Error('the keychain did not keep the entry')
    } catch (error) {
      log.info({ host, reason: describe(error) }, 'no keychain takes the secret: a file that only this account may read does')
      await writeWhole(secretFile(host), secret)
      await rm(noteFile(host), { force: true })
      return 'file'
    }
    await writeWhole(noteFile(host), '')
    await rm(secretFile(host), { force: true })
    return 'keychain'
  }

  async function remove(host: string): Promise<string | null> {
    const left = (await holder(host)) === 'keychain' ? await keychain.remove(host).then(() => null, describe) : null
    await rm(secretFile(host), { force: true })
    await rm(noteFile(host), { force: true })
    if (left !== null) log.warn({ host, reason: left }, "the keychain's entry of a removed host could not be removed")
    return left
  }

  async function hosts(): Promise<string[]> {
    const files = await readdir(dir).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return []
      throw error
    })
    return [...new Set(files.flatMap((file) => /^(.+)\.(?:secret|keychain)$/.exec(file)?.[1] ?? []))]
  }

  return { read, holder, save, hosts, remove }
}

async function contentOf(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

async function writeWhole(file: string, content: string): Promise<void> {
  const fresh = `${file}.${process.pid}.new`
  await writeFile(fresh, content, { mode: 0o600, flush: true })
  await rename(fresh, file)
}

/** Keychains answer with sentences of their own, which never hold the secret. */
function describe(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).replace(/\.$/, '')
}
