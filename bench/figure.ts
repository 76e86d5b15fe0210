// What a benchmark is: a figure of ours beside its peer, both taken in the same run, several times, by the median.

/** One line of the table. A figure that cannot be taken here is skipped with the reason, never left out. */
export type Row = Measured | Skipped

export interface Measured {
  /** What was done, e.g. `invoke over a tunnel, p50`. */
  readonly what: string
  readonly ours: Value
  /** The same work by something people use today. */
  readonly peer?: Value & { readonly name: string }
  /** What was promised, in words, and whether it was kept in this run. */
  readonly goal?: { readonly words: string; readonly met: boolean }
  /** Settings that a reader needs to judge the figure, e.g. durability of both sides. */
  readonly note?: string
}

export interface Value {
  /** The median of the rounds. */
  readonly median: number
  /** The smallest and the largest round. */
  readonly spread: readonly [number, number]
  readonly unit: Unit
}

export type Unit = 'µs' | 'ms' | 's' | '/s' | 'MB/s' | 'KiB' | 'MiB'

export interface Skipped {
  readonly what: string
  readonly skipped: string
}

export interface Figure {
  /** Its name on the command line: `npm run bench -- NAME`. */
  readonly name: string
  readonly title: string
  measure(settings: Settings): Promise<Row[]>
}

export interface Settings {
  /** How often each side is measured; sides take turns. */
  readonly rounds: number
  /** Fewer rounds and smaller amounts: to see that it works, not to quote. */
  readonly quick: boolean
  /** Progress for the person who waits; goes to stderr. */
  say(line: string): void
}
