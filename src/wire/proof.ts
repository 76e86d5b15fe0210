// A signature as it stands in a message: 64 bytes in base64url.

import { z } from 'zod'
import { failure } from '../contract/errors.ts'
import { type Identity, verify } from './identity.ts'

export const Signature = z.string().regex(/^[A-Za-z0-9_-]{86}$/, 'it is not 64 bytes in base64url')

export function signed(identity: Identity, bytes: Uint8Array): string {
  return Buffer.from(identity.sign(bytes)).toString('base64url')
}

/** Throws `wire.proof`. */
export function requireProof(key: string, bytes: Uint8Array, signature: string): void {
  if (verify(key, bytes, Buffer.from(signature, 'base64url'))) return
  throw failure('wire.proof', { problem: 'its signature does not fit its key and this conversation' })
}
