// How the entries of an audit log hang together, for whoever writes one, reads one back, or is given one as a file.

import { hash } from 'node:crypto'
import type { AuditEntry, AuditFault } from '../contract/audit.ts'
import { canonicalJson } from './canonical.ts'

/** A place in a log, kept as `NUMBER:HASH`. */
export interface ChainPlace {
  readonly n: number
  readonly hash: string
}

/** What the first entry follows. */
export const chainStart: ChainPlace = { n: 0, hash: '0'.repeat(64) }

function auditHash(before: string, entry: Omit<AuditEntry, 'hash'>): string {
  return hashAfter(before, canonicalJson(entry))
}

/** `text`: an entry without its hash, as canonical JSON. */
export function hashAfter(before: string, text: string): string {
  return hash('sha256', `${before}\n${text}`)
}

export function showPlace({ n, hash }: ChainPlace): string {
  return `${n}:${hash}`
}

/** Of text that `AuditHead` has let through. */
export function readPlace(text: string): ChainPlace {
  const [n, hash = ''] = text.split(':')
  return { n: Number(n), hash }
}

export interface ChainCheck {
  /** The next entry; after the first fault none counts. */
  take(entry: AuditEntry): void
  /** Something stands where the next entry should. */
  refuse(why: string): void
  end(): { entries: number; firstBad: AuditFault | null; head: ChainPlace }
}

/** `from`: the entry before the first one that will be taken. `noted`: places that were kept elsewhere and must be in the log. */
export function checkChain({
  from = chainStart,
  noted = [],
}: {
  from?: ChainPlace
  noted?: readonly ChainPlace[]
} = {}): ChainCheck {
  let last = from
  let entries = 0
  let fault: AuditFault | null = null

  function judge({ hash, ...entry }: AuditEntry): string | undefined {
    const due = last.n + 1
    if (entry.n > due) return `it is missing: entry ${entry.n} comes after entry ${last.n}`
    if (entry.n < due) return `entry ${entry.n} stands in its place`
    const whole = hash === auditHash(last.hash, entry)
    if (whole && noted.some((place) => place.n === entry.n && place.hash !== hash)) {
      return 'it is not the one that was noted: it, or one before it, was written anew'
    }
    if (whole) return undefined
    return last.n === 0
      ? 'it is not as it was written, or not the first one of this log'
      : `it is not as it was written, or entry ${last.n} before it is not`
  }

  return {
    take(entry) {
      if (fault) return
      entries += 1
      const why = judge(entry)
      if (why === undefined) last = { n: entry.n, hash: entry.hash }
      else fault = { n: last.n + 1, why }
    },
    refuse(why) {
      if (!fault) entries += 1
      fault ??= { n: last.n + 1, why }
    },
    end() {
      const beyond = noted.find(({ n }) => n > last.n)
      if (beyond) {
        fault ??= { n: last.n + 1, why: `it is missing: the log ends at entry ${last.n}, and entry ${beyond.n} was noted` }
      }
      return { entries, firstBad: fault, head: last }
    },
  }
}
