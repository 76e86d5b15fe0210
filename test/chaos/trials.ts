// How often a chaos test tries.

/** `full` trials, or the share of them that MUSTER_CHAOS_SHARE asks for; never none. */
export function trials(full: number): number {
  return Math.max(1, Math.round(full * Number(process.env.MUSTER_CHAOS_SHARE)))
}

export { seed, seededRandom } from '../resources/seeded.ts'
