// Whose a run is. Fence N of a run is the object q/claim/RUN~N, which can be made once; the highest that a worker has validly signed
// counts. A claim whose owner has not renewed it for its lease is taken over by making N + 1.
//
// Only the making is atomic, and each object has one writer after that, so that no store needs more than a conditional put. Lapsing is
// measured by the observer's own clock, from when it first saw the claim as it is: clocks of machines are never compared.

import { randomBytes } from 'node:crypto'
import { fingerprintOf, type Identity } from '../../wire/identity.ts'
import { seal, unseal } from './envelope.ts'
import { isIntroduced } from './join-token.ts'
import { claimKey } from './keys.ts'
import { ClaimMessage, largestObjectBytes } from './messages.ts'
import type { Objects } from './objects.ts'

/** Longer than any worker asks for: what says more is not believed. */
const longestLeaseMs = 6 * 3600 * 1000

export interface Trust {
  readonly host: string
  /** By which workers' introductions are checked. */
  readonly joinKey: string
}

/** One's own claim. */
export interface Held {
  readonly fence: number
  readonly nonce: string
  renewal: number
  ended: boolean
  readonly asked: string[]
}

interface ValidClaim extends ClaimMessage {
  /** Fingerprint of the key that has signed it. */
  readonly worker: string
}

/** A run that may be taken, at this fence; `former` is the claim that has lapsed, if there was a valid one. */
export interface Vacancy {
  readonly fence: number
  readonly former: ValidClaim | undefined
}

export interface Claims {
  /** Undefined while the run is another's. `mark` is how a listing shows the run's highest claim, undefined when it shows none. */
  vacancy(run: string, mark: string | undefined, nowMs: number): Promise<Vacancy | undefined>
  /** When the next of the watched claims lapses, if it is not renewed. One that has lapsed waits for something else: for room, or its hub. */
  nextLapseMs(nowMs: number): number
  /** Stops watching. */
  forget(run: string): void
  /** Stops watching all but these. */
  watchOnly(listed: { has(run: string): boolean }): void
  /** Undefined when another was faster. */
  take(run: string, vacancy: Vacancy): Promise<Held | undefined>
  renew(run: string, held: Held): Promise<void>
  /** Takes back what was claimed in vain. */
  drop(run: string, held: Held): Promise<void>
}

export interface ClaimsOf extends Trust {
  readonly objects: Objects
  readonly identity: Identity
  readonly introduction: string
  readonly leaseMs: number
}

interface Watched {
  mark: string
  sinceMs: number
  /** What was read when the mark was new: fence and renewal. */
  seen: string
  leaseMs: number
}

export function openClaims({ objects, host, joinKey, identity, introduction, leaseMs }: ClaimsOf): Claims {
  const watched = new Map<string, Watched>()

  function sealed(run: string, { fence, nonce, renewal, ended, asked }: Held): Buffer {
    const message: ClaimMessage = { type: 'claim', run, fence, nonce, renewal, leaseMs, ended, asked }
    return seal({ host, key: claimKey(run, fence) }, { identity, introduction }, message)
  }

  async function read(run: string) {
    const { claim, free } = await currentClaim(objects, { host, joinKey }, run)
    const lease = claim?.ended ? Infinity : Math.min(claim?.leaseMs ?? leaseMs, longestLeaseMs)
    return { claim, free, lease, seen: `${free}:${claim?.fence}:${claim?.renewal}` }
  }

  return {
    async vacancy(run, mark, nowMs) {
      if (mark === undefined) return { fence: 1, former: undefined }
      const known = watched.get(run)
      const isDue = known?.mark === mark && nowMs >= known.sinceMs + known.leaseMs
      if (known?.mark === mark && !isDue) return undefined
      // A listing may be late: only what the store itself says, twice and a lease apart, is a claim that nobody renews.
      const { claim, free, lease, seen } = await read(run)
      const isOwn = claim?.worker === identity.fingerprint && !claim.ended
      if (isOwn || (isDue && known.seen === seen)) return { fence: free, former: claim }
      watched.set(run, { mark, sinceMs: nowMs, seen, leaseMs: lease })
      return undefined
    },
    nextLapseMs(nowMs) {
      const lapses = [...watched.values()].map(({ sinceMs, leaseMs }) => sinceMs + leaseMs)
      return Math.min(Infinity, ...lapses.filter((lapseMs) => lapseMs > nowMs))
    },
    forget: (run) => void watched.delete(run),
    watchOnly(listed) {
      for (const run of watched.keys()) if (!listed.has(run)) watched.delete(run)
    },
    async take(run, { fence, former }) {
      if (former?.worker === identity.fingerprint) return former
      const nonce = randomBytes(12).toString('hex')
      const held: Held = { fence, nonce, renewal: 0, ended: false, asked: [...(former?.asked ?? [])] }
      const bytes = sealed(run, held)
      if (await objects.putIfAbsent(claimKey(run, fence), bytes)) return held
      // The store may have said so to a repeat of our own request, whose first answer was lost.
      const found = await objects.get(claimKey(run, fence), largestObjectBytes)
      return found && bytes.equals(found) ? held : undefined
    },
    async renew(run, held) {
      held.renewal++
      await objects.put(claimKey(run, held.fence), sealed(run, held))
    },
    drop: (run, { fence }) => objects.delete(claimKey(run, fence)),
  }
}

/** The claim that counts, at `from` or above, and the first fence that nobody has made. Asks the store itself, not a listing. */
export async function currentClaim(
  objects: Objects,
  trust: Trust,
  run: string,
  from = 1,
): Promise<{ claim: ValidClaim | undefined; free: number }> {
  let claim: ValidClaim | undefined
  for (let fence = from; ; fence++) {
    const bytes = await objects.get(claimKey(run, fence), largestObjectBytes)
    if (!bytes) return { claim, free: fence }
    claim = readClaim(trust, run, fence, bytes) ?? claim
  }
}

function readClaim(trust: Trust, run: string, fence: number, bytes: Uint8Array): ValidClaim | undefined {
  const sealed = unseal({ host: trust.host, key: claimKey(run, fence) }, bytes)
  if (!sealed || !isIntroduced(trust, sealed.by, sealed.introduction)) return undefined
  const message = ClaimMessage.safeParse(sealed.header).data
  return message && { ...message, worker: fingerprintOf(sealed.by) }
}
