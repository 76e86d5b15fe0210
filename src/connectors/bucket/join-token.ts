// How a worker proves that the hub's operator let it in, though the hub keeps no secret for it and cannot be asked.
//
// `host add` prints a token: host, the hub's public key, and the seed of a join key that the hub can make again at any time from its own
// key. A worker that has the token signs its own public key with the join key: its introduction, which it keeps instead of the token.
// The hub, and every other worker, checks an introduction by the join key's public half. Who has no token cannot make one.

import { createHash, createPrivateKey } from 'node:crypto'
import { z } from 'zod'
import { failure } from '../../contract/errors.ts'
import { type Identity, identityOf, verify } from '../../wire/identity.ts'
import type { BucketPlace } from './config.ts'

export interface JoinToken {
  readonly host: string
  readonly hubKey: string
  readonly seed: Uint8Array
}

const Shape = /^mpull_(?<host>host_[0-9A-HJKMNP-TV-Z]{26})_(?<hubKey>[0-9a-f]{64})_(?<seed>[0-9a-f]{64})$/

/** The same each time for the same hub and host. */
function joinTokenOf(hub: Identity, host: string): string {
  const hubKey = Buffer.from(hub.publicKey, 'base64url').toString('hex')
  return `mpull_${host}_${hubKey}_${Buffer.from(seedOf(hub, host)).toString('hex')}`
}

/**
 * What to run on the host's own machine. The token is needed there the first time only, and comes by a pipe: `echo` is the shell's own,
 * so that no list of processes shows it.
 */
export function joinCommand(
  { bucket, prefix, endpoint, insecure }: BucketPlace,
  { host, identity }: { host: string; identity: Identity },
): string {
  const words = ['muster', 'node', 'pull', '--bucket', bucket]
  if (prefix !== undefined) words.push('--prefix', prefix)
  if (endpoint !== undefined) words.push('--endpoint', endpoint)
  if (insecure) words.push('--insecure')
  words.push('--allow', 'runs', '--token-stdin')
  const quoted = words.map((word) => (/^[\w./:@%+=,-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`))
  return `echo ${joinTokenOf(identity, host)} | ${quoted.join(' ')}`
}

/** Throws `bucket.token_invalid` for anything that no hub printed. */
export function parseJoinToken(value: string): JoinToken {
  const parts = z.object({ host: z.string(), hubKey: z.string(), seed: z.string() }).safeParse(Shape.exec(value.trim())?.groups)
  if (!parts.success) throw failure('bucket.token_invalid')
  const { host, hubKey, seed } = parts.data
  return { host, hubKey: Buffer.from(hubKey, 'hex').toString('base64url'), seed: Buffer.from(seed, 'hex') }
}

/** The public half of the join key, by which introductions are checked. */
export function joinKeyOf(hub: Identity, host: string): string {
  return keyFromSeed(seedOf(hub, host)).publicKey
}

export function introduce({ host, seed }: JoinToken, worker: string): { joinKey: string; introduction: string } {
  const join = keyFromSeed(seed)
  return { joinKey: join.publicKey, introduction: Buffer.from(join.sign(introductionText(host, worker))).toString('base64url') }
}

export function isIntroduced(of: { host: string; joinKey: string }, worker: string, introduction: string | undefined): boolean {
  return verify(of.joinKey, introductionText(of.host, worker), Buffer.from(introduction ?? '', 'base64url'))
}

function introductionText(host: string, worker: string): Uint8Array {
  return Buffer.from(`muster bucket worker 1\n${host}\n${worker}`)
}

/** Ed25519 signatures are the same each time, and nobody without the key can make this one. */
function seedOf(hub: Identity, host: string): Uint8Array {
  return createHash('sha256')
    .update(hub.sign(Buffer.from(`muster bucket join 1\n${host}`)))
    .digest()
}

function keyFromSeed(seed: Uint8Array): Identity {
  const pkcs8 = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed])
  return identityOf(createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' }))
}
