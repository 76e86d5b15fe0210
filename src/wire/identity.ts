// Who one is: an Ed25519 key in a file of this account alone, and the checks of what another key has signed.
// Used by hub and node; it knows nothing of what is signed.

import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  sign,
  verify as verifySignature,
} from 'node:crypto'
import { link, open, readFile, rm, stat } from 'node:fs/promises'
import { failure } from '../contract/errors.ts'

export interface Identity {
  /** The raw 32 bytes, base64url without padding: 43 characters. */
  readonly publicKey: string
  readonly fingerprint: string
  /** 64 bytes. */
  sign(bytes: Uint8Array): Uint8Array
}

/** Reads the key, or makes one where there is none. Throws `home.unusable` for a file that others can read or that is no key. */
export async function loadIdentity(file: string): Promise<Identity> {
  const pem = (await readKey(file)) ?? (await createKey(file))
  try {
    return identityOf(createPrivateKey(pem))
  } catch (error) {
    throw failure('home.unusable', { path: file, problem: 'it holds no Ed25519 private key' }, { cause: error })
  }
}

/** A key that is kept nowhere. */
export function temporaryIdentity(): Identity {
  return identityOf(generateKeyPairSync('ed25519').privateKey)
}

/** Whether `signature` was made over `bytes` by the key. False for a key that is none. */
export function verify(publicKey: string, bytes: Uint8Array, signature: Uint8Array): boolean {
  try {
    const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: publicKey }, format: 'jwk' })
    return verifySignature(null, bytes, key, signature)
  } catch {
    // Not a point of the curve, or not 32 bytes: nothing can have been signed with it.
    return false
  }
}

/** The first 16 bytes of the raw key's SHA-256, in hex: short enough to print, too long to meet by trying. */
export function fingerprintOf(publicKey: string): string {
  return createHash('sha256').update(Buffer.from(publicKey, 'base64url')).digest('hex').slice(0, 32)
}

export function identityOf(privateKey: KeyObject): Identity {
  const { crv, x } = createPublicKey(privateKey).export({ format: 'jwk' })
  if (crv !== 'Ed25519' || x === undefined) throw failure('internal', { problem: 'the key is not an Ed25519 key' })
  return { publicKey: x, fingerprint: fingerprintOf(x), sign: (bytes) => sign(null, bytes, privateKey) }
}

async function readKey(file: string): Promise<string | undefined> {
  try {
    const { mode } = await stat(file)
    if ((mode & 0o077) !== 0)
      throw failure('home.unusable', { path: file, problem: 'other accounts may read it; set its mode to 0600' })
    return await readFile(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

/** Whole or not at all, and never over another's: written beside, then linked under its name. */
async function createKey(file: string): Promise<string> {
  const pem = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }) as string
  const fresh = `${file}.${randomBytes(6).toString('hex')}.new`
  try {
    const handle = await open(fresh, 'wx', 0o600)
    try {
      await handle.writeFile(pem)
      await handle.sync()
    } finally {
      await handle.close()
    }
    await link(fresh, file)
    return pem
  } catch (error) {
    // Another process was faster: its key is the one.
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return readFile(file, 'utf8')
    throw failure('home.unusable', { path: file, problem: (error as Error).message }, { cause: error })
  } finally {
    await rm(fresh, { force: true })
  }
}
