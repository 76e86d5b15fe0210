// What both sides of a pairing commit to and then show, and the digits that a person compares. The text itself is hashed, not its
// parsed form: what was committed to is then what was shown, byte for byte. docs/security.md argues why a relay cannot have its way.

import { createHash, randomBytes } from 'node:crypto'
import { z } from 'zod'
import { failure } from '../contract/errors.ts'
import { oldestProtocolVersion, protocolVersion } from './protocol.ts'

/** 32 bytes, base64url. */
const Bytes32 = z.string().regex(/^[A-Za-z0-9_-]{43}$/, 'it is not 32 bytes in base64url')

const shared = {
  protocol: z.object({ min: z.int().nonnegative(), max: z.int().nonnegative() }),
  software: z.string().max(256),
  key: Bytes32,
  nonce: Bytes32,
}

/** What a machine says of itself when it asks to be let in. All of it is its own word, but for the key. */
export const Wishes = z.object({
  name: z.string().min(1).max(256),
  platform: z.string().regex(/^[\x20-\x7e]{0,64}$/),
  arch: z.string().regex(/^[\x20-\x7e]{0,64}$/),
  /** What its hub may do there: the most that an approval can grant. */
  asks: z.array(z.string().min(1).max(128)).max(64),
})
export type Wishes = z.output<typeof Wishes>

export const NodeOpening = z.object({ ...shared, role: z.literal('node'), ...Wishes.shape })
export type NodeOpening = z.output<typeof NodeOpening>
export const HubOpening = z.object({ ...shared, role: z.literal('hub') })

export const Commitment = Bytes32

type Shown<T> = Omit<T, 'protocol' | 'nonce'>

/** With a nonce of its own, which keeps what was committed to secret until it is shown. */
export function makeOpening(shown: Shown<NodeOpening> | Shown<z.output<typeof HubOpening>>): string {
  return JSON.stringify({
    protocol: { min: oldestProtocolVersion, max: protocolVersion },
    nonce: randomBytes(32).toString('base64url'),
    ...shown,
  })
}

/** Throws `wire.protocol`. */
export function parseOpening<S extends z.ZodType>(schema: S, text: string): z.output<S> {
  try {
    return schema.parse(JSON.parse(text))
  } catch (error) {
    throw failure('wire.protocol', { problem: 'an opening that is none' }, { cause: error })
  }
}

type PairingSide = 'node' | 'hub'

/** The side is in it, so that neither's commitment can be sent back to it as the other's. */
export function commitmentTo(side: PairingSide, opening: string): string {
  return digest(`commit\0${side}`, opening).toString('base64url')
}

/** Throws `wire.proof` for an opening that is not the one that was committed to. */
export function requireCommitted(side: PairingSide, opening: string, commitment: string): void {
  if (commitmentTo(side, opening) === commitment) return
  throw failure('wire.proof', { problem: 'what it shows is not what it has committed itself to' })
}

export interface Commitments {
  readonly node: string
  readonly hub: string
}

/** What each side signs: both commitments, and through them all that both show. */
export function pairingProofBytes(side: PairingSide, { node, hub }: Commitments): Buffer {
  return Buffer.concat([label(`prove\0${side}`), Buffer.from(node, 'base64url'), Buffer.from(hub, 'base64url')])
}

/** Six digits. Of the openings, not of the commitments: nobody can know it before both are shown. */
export function codeOf({ node, hub }: { node: string; hub: string }): string {
  const bytes = createHash('sha256').update(label('code')).update(sha256(node)).update(sha256(hub)).digest()
  return String(bytes.readBigUInt64BE() % 1_000_000n).padStart(6, '0')
}

function digest(what: string, text: string): Buffer {
  return createHash('sha256').update(label(what)).update(text).digest()
}

function label(what: string): Buffer {
  return Buffer.from(`muster-pair-1\0${what}\0`)
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
