// The host's side of a bucket: joins it the first time, and works at it from then on.

import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Logger } from 'pino'
import { direct } from '../../contract/direct.ts'
import { failure } from '../../contract/errors.ts'
import type { Implementation, Principal } from '../../contract/implementation.ts'
import { scopes } from '../../contract/operation.ts'
import { fingerprintOf, loadIdentity } from '../../wire/identity.ts'
import { openClaims } from './claims.ts'
import type { BucketPlace } from './config.ts'
import { introduce, isIntroduced, parseJoinToken } from './join-token.ts'
import { openNews } from './news.ts'
import { openObjects, requireConditionalPut } from './open-objects.ts'
import { work } from './worker.ts'
import { findJoinedBucket, type JoinedBucket, openWorkerHome, saveJoinedBucket } from './worker-home.ts'

export interface BucketLink {
  readonly place: BucketPlace
  /** Needed the first time only. */
  readonly token?: string
  /** $MUSTER_HOME; the node's key and what it knows of its buckets are kept in `node/` there. */
  readonly home: string
  readonly host: { readonly offers: Implementation }
  /** How often it looks. */
  readonly intervalMs: number
  /** So many runs at once. */
  readonly concurrency: number
  /** Ends when nothing is left to do. */
  readonly once: boolean
  readonly log: Logger
  readonly signal: AbortSignal
  readonly onState: (state: { looking: true } | { looking: false; reason: string }) => void
}

const shortestLeaseMs = 3_000
const longestGatherMs = 1_000
/** A claim outlives so many looks of its owner's. */
const looksPerLease = 4

/** Works until `signal` aborts, or with `once` until nothing is left to do. Rejects when the bucket cannot be used at all. */
export async function pullFromBucket(link: BucketLink): Promise<void> {
  const objects = await openObjects(link.place)
  const dir = join(link.home, 'node')
  await mkdir(dir, { recursive: true, mode: 0o700 })
  const identity = await loadIdentity(join(dir, 'key'))
  const joined = await joinedBucket(link, join(dir, 'bucket'), identity.publicKey)
  await requireConditionalPut(objects, link.place)
  const home = await openWorkerHome(join(dir, 'bucket', joined.host, identity.fingerprint))
  const worker = { id: identity.fingerprint, identity, introduction: joined.introduction }
  const leaseMs = Math.max(shortestLeaseMs, looksPerLease * link.intervalMs)
  const gatherMs = Math.min(longestGatherMs, link.intervalMs / 2)
  await work({
    ...link,
    objects,
    home,
    trust: joined,
    worker,
    claims: openClaims({ ...joined, objects, identity, leaseMs }),
    news: openNews({ objects, home, host: joined.host, worker, gatherMs, log: link.log }),
    host: direct(link.host.offers, hubPrincipal(joined.hubKey)),
    leaseMs,
  })
}

async function joinedBucket({ token, place }: BucketLink, dir: string, worker: string): Promise<JoinedBucket> {
  if (token === undefined) {
    const known = await findJoinedBucket(dir, place)
    if (known && isIntroduced(known, worker, known.introduction)) return known
    throw failure('bucket.token_invalid')
  }
  const parsed = parseJoinToken(token)
  const joined = { place, host: parsed.host, hubKey: parsed.hubKey, ...introduce(parsed, worker) }
  await saveJoinedBucket(dir, joined)
  return joined
}

/** A hub may ask for everything here; what it gets is the host's own policy's decision. */
function hubPrincipal(key: string): Principal {
  return { kind: 'hub', id: fingerprintOf(key), role: 'hub', scopes: new Set(scopes) }
}
