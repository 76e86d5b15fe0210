// A pause that ends early with its owner.

import { setTimeout } from 'node:timers/promises'

/** Resolves after `ms`, or at once when the signal aborts. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await setTimeout(Math.min(ms, 2 ** 31 - 1), undefined, { signal })
  } catch {
    // Only an abort ends it early, and whoever aborted knows.
  }
}
