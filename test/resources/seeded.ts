// The randomness that a test draws from, told from outside, so that a failure can be had again: whoever draws says its seed.

export const seed = Number(process.env.MUSTER_SEED ?? 1)

/** Numbers in [0, 1), the same everywhere for a seed (mulberry32). */
export function seededRandom(from: number = seed): () => number {
  let state = from >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
