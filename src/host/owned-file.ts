// Whether a file says what its owner wants: whoever else may write it says what runs here as this account. Asked of the policy and of
// declared commands.

import type { BigIntStats } from 'node:fs'

/** Why what it says cannot be relied upon; undefined when it can. */
export function ownershipProblem({ uid, mode }: Pick<BigIntStats, 'uid' | 'mode'>): string | undefined {
  const own = process.getuid?.()
  if (own === undefined) return undefined
  if (uid !== BigInt(own) && uid !== 0n) return 'it belongs to another account'
  return (mode & 0o022n) === 0n ? undefined : 'other accounts may write to it: `chmod go-w` it'
}
