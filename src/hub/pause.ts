// A pause before something is tried again, which ends early with its owner.

import { setTimeout } from 'node:timers/promises'

/** Resolves after `ms`, or at once when the signal aborts. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await setTimeout(ms, undefined, { signal })
  } catch {
    // Only an abort ends it early, and whoever aborted knows.
  }
}
