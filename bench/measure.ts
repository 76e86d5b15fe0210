// How a figure is taken: the sides take turns, so that what else the machine does falls on all of them; the median of a side's
// rounds stands.

import type { Unit, Value } from './figure.ts'

/** A peer that is not installed has no side, and no samples. */
type Samples<Sides> = { [Side in keyof Sides]: Awaited<ReturnType<Extract<Sides[Side], () => unknown>>>[] }

/**
 * What each side measured, round by round. `warmUps`: rounds before those that count, for caches and compilers.
 */
export async function inTurns<Sides extends { readonly [side: string]: () => Promise<unknown> }>(
  rounds: number,
  sides: Sides,
  { warmUps = 0 }: { readonly warmUps?: number } = {},
): Promise<Samples<Sides>> {
  const names = Object.keys(sides)
  const samples: Record<string, unknown[]> = Object.fromEntries(names.map((name) => [name, []]))
  for (let round = -warmUps; round < rounds; round += 1) {
    // Another one begins each time: nobody always comes after the same neighbour.
    const first = (round + warmUps) % names.length
    for (const name of [...names.slice(first), ...names.slice(0, first)]) {
      const sample = await sides[name]?.()
      if (round >= 0) samples[name]?.push(sample)
    }
  }
  return samples as Samples<Sides>
}

export function medianOf(rounds: readonly number[], unit: Unit): Value {
  return { median: percentile(rounds, 50), spread: [Math.min(...rounds), Math.max(...rounds)], unit }
}

/** The nearest rank: always a value that was measured. */
export function percentile(values: readonly number[], percent: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil((sorted.length * percent) / 100) - 1)] as number
}
