// What both sides say before anything else, and the exact bytes that each signs to prove that it has said it.
// The text itself is hashed, not its parsed form: what was signed is then what was sent, byte for byte.

import { createHash, randomBytes } from 'node:crypto'
import { z } from 'zod'
import { failure } from '../contract/errors.ts'
import { type Limits, LimitsOffer } from './limits.ts'
import { oldestProtocolVersion, protocolVersion } from './protocol.ts'

/** 32 bytes, base64url. */
const Bytes32 = z.string().regex(/^[A-Za-z0-9_-]{43}$/, 'it is not 32 bytes in base64url')

const Hello = z.object({
  protocol: z.object({ min: z.int().nonnegative(), max: z.int().nonnegative() }),
  software: z.string().max(256),
  role: z.string().min(1).max(64),
  key: Bytes32,
  nonce: Bytes32,
  limits: LimitsOffer,
})
export type Hello = z.output<typeof Hello>

export function makeHello({
  software,
  role,
  key,
  limits,
}: {
  software: string
  role: string
  key: string
  limits: Limits
}): string {
  const hello: Hello = {
    protocol: { min: oldestProtocolVersion, max: protocolVersion },
    software,
    role,
    key,
    nonce: randomBytes(32).toString('base64url'),
    limits: { maxFrame: limits.maxFrame, window: limits.window, zeros: true },
  }
  return JSON.stringify(hello)
}

/** Throws `wire.protocol`. */
export function parseHello(text: unknown): Hello {
  try {
    return Hello.parse(JSON.parse(z.string().max(4096).parse(text)))
  } catch (error) {
    throw failure('wire.protocol', { problem: 'a hello that is none' }, { cause: error })
  }
}

/** The highest version that both speak. Throws `wire.version`, which both sides read: `role` says whose words they are. */
export function agreeVersion(
  role: string,
  theirs: Hello['protocol'],
  ours = { min: oldestProtocolVersion, max: protocolVersion },
): number {
  const version = Math.min(ours.max, theirs.max)
  if (version >= Math.max(ours.min, theirs.min)) return version
  const older = ours.max < theirs.min ? `the ${role}` : 'its other side'
  throw failure('wire.version', { role, ours: range(ours), theirs: range(theirs), older })
}

function range({ min, max }: Hello['protocol']): string {
  return min === max ? `${min}` : `${min} to ${max}`
}

/** What the acceptor or the dialer signs. The side is in it, so that neither's signature can be sent back to it as the other's. */
export function proofBytes(side: 'acceptor' | 'dialer', dialerHello: string, acceptorHello: string): Buffer {
  return Buffer.concat([Buffer.from(`muster-wire-1\0${side}\0`), sha256(dialerHello), sha256(acceptorHello)])
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
