// Who one is: an Ed25519 key in a file of this account alone, and the checks of what another key has signed.
// Used by hub and node; it knows nothing of what is signed.

import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign,
  verify as verifySignature,
} from 'node:crypto'
import { failure } from '../contract/errors.ts'
import { loadKeyFile } from './key-file.ts'

export interface Identity {
  /** The raw 32 bytes, base64url without padding: 43 characters. */
  readonly publicKey: string
  readonly fingerprint: string
  /** 64 bytes. */
  sign(bytes: Uint8Array): Uint8Array
}

/** Reads the key, or makes one where there is none. Throws `home.unusable` for a file that others can read or that is no key. */
export async function loadIdentity(file: string): Promise<Identity> {
  const pem = await loadKeyFile(file, () => generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }))
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
