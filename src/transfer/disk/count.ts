// SHA-256 counted on the way: of a file that is read in pieces, perhaps some of them twice, each byte is counted once. What was counted is
// kept for a while in memory; where it is not, or there is a gap, the file is read again.

import { createHash, type Hash } from 'node:crypto'
import type { OpenFile } from './open-file.ts'
import { readOn } from './read-on.ts'

const mostCounts = 256

interface Count {
  readonly hash: Hash
  /** So many bytes from the beginning are counted. */
  front: number
}

export interface Counts {
  /** Bytes of this version that lie at an offset have been read. */
  add(version: string, offset: number, bytes: Uint8Array): void
  /** Of the first `size` bytes; what is not counted yet is read. */
  digest(version: string, size: number, opened: OpenFile, signal: AbortSignal): Promise<string>
}

export function makeCounts(): Counts {
  const counts = new Map<string, Count>()

  /** The last used is the last to go. */
  function countOf(version: string): Count {
    const count = counts.get(version) ?? { hash: createHash('sha256'), front: 0 }
    counts.delete(version)
    counts.set(version, count)
    for (const [oldest] of counts) {
      if (counts.size <= mostCounts) break
      counts.delete(oldest)
    }
    return count
  }

  function add(version: string, offset: number, bytes: Uint8Array): void {
    const count = countOf(version)
    const known = count.front - offset
    if (known < 0 || known >= bytes.byteLength) return
    count.hash.update(known === 0 ? bytes : bytes.subarray(known))
    count.front = offset + bytes.byteLength
  }

  return {
    add,
    async digest(version, size, { file }, signal) {
      let offset = countOf(version).front
      for await (const bytes of readOn(file, { offset, end: size }, signal)) {
        add(version, offset, bytes)
        offset += bytes.byteLength
      }
      return countOf(version).hash.copy().digest('hex')
    },
  }
}
