// Waiting for what a test expects, for as long as a busy machine may take: vitest's own second is too short for that.

import { vi } from 'vitest'

/** Looks again until `look` throws nothing; answers what it answers. */
export function eventually<T>(look: () => T | Promise<T>): Promise<T> {
  return vi.waitFor(look, { timeout: 30_000, interval: 20 })
}
