// Asking one thing again and again: one at a time for the time that each takes, many at once for how many a second.

/** Something that answers over a connection of its own, with what it answers over. */
export interface Answerer extends AsyncDisposable {
  /** As the tables call it. */
  readonly name: string
  /** Resolves with the answer, which its asker has parsed. */
  ask(): Promise<unknown>
  /** The processes that take part in an answer, but for the one that asks. */
  readonly pids: readonly number[]
}

/** Microseconds that each took. */
export async function oneByOne(ask: () => Promise<unknown>, times: number): Promise<number[]> {
  const took: number[] = []
  for (let asked = 0; asked < times; asked += 1) {
    const startedAt = performance.now()
    await ask()
    took.push((performance.now() - startedAt) * 1000)
  }
  return took
}

/** Answers a second while so many are always asked for. */
export async function perSecond(ask: () => Promise<unknown>, times: number, inFlight: number): Promise<number> {
  let left = times
  const askOn = async () => {
    while (left > 0) {
      left -= 1
      await ask()
    }
  }
  const startedAt = performance.now()
  await Promise.all(Array.from({ length: inFlight }, askOn))
  return times / ((performance.now() - startedAt) / 1000)
}
