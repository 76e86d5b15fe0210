// How many files and connections this process may have open at once. The command line warns and checks by it, too.

import { readFileSync } from 'node:fs'

/** A hub with a dozen nodes and readers needs some hundreds. */
export const fewDescriptors = 1024

/** The soft limit; Node.js has raised it to the hard one. Undefined where the system does not say. */
export function descriptorLimit(): number | undefined {
  try {
    const limit = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1]
    return limit === undefined ? undefined : Number(limit)
  } catch {
    return undefined
  }
}

/**
 * How many connections there may be, from elsewhere and from this account, and how many copies of output at once (three files
 * each), so that a flood of any leaves enough for the store and for runs. Whoever reads takes one or two files beside a connection.
 */
export function descriptorShares(limit: number | undefined): { tcp: number; local: number; copies: number } {
  if (limit === undefined) return { tcp: Infinity, local: Infinity, copies: Infinity }
  const reserved = Math.min((limit * 3) / 4, 1024)
  return { tcp: Math.floor(limit - reserved), local: Math.floor(reserved / 4), copies: Math.ceil(limit / 12) }
}
