// Permits to copy: what a person has said of a path, once, counts for the requests of which a copy of it consists. Who holds one is known
// by it alone, and nothing keeps it but the memory of this process.

import { createHash, randomBytes } from 'node:crypto'
import { isBelow } from './jail.ts'
import type { FileCommand } from './operations.ts'

const mostPermits = 1_000
/** Counted from the last request that it was good for. */
const goodForMs = 3_600_000

interface Permitted {
  readonly command: FileCommand
  /** Absolute; what is below it is permitted too. */
  readonly path: string
}

export interface Permits {
  give(what: Permitted): string
  covers(permit: string | undefined, asked: Permitted): boolean
}

interface Given extends Permitted {
  untilMs: number
}

export function makePermits(): Permits {
  /** By their digests: how long a look-up takes tells nothing of a permit. */
  const all = new Map<string, Given>()
  return {
    give({ command, path }) {
      const permit = randomBytes(32).toString('hex')
      for (const [key, { untilMs }] of all) if (untilMs < performance.now() || all.size >= mostPermits) all.delete(key)
      all.set(keyOf(permit), { command, path, untilMs: performance.now() + goodForMs })
      return permit
    },
    covers(permit, { command, path }) {
      const given = permit === undefined ? undefined : all.get(keyOf(permit))
      if (!given || given.untilMs < performance.now() || given.command !== command) return false
      if (!isBelow(given.path, path)) return false
      given.untilMs = performance.now() + goodForMs
      return true
    },
  }
}

function keyOf(permit: string): string {
  return createHash('sha256').update(permit).digest('hex')
}
