// How often something may be tried or told: so many times within a window, in all and by each source. It remembers no more than those.

export interface Tries {
  /** How long until another is allowed; 0: now. */
  waitMs(source?: string): number
  note(source?: string): void
}

export interface TriesOf {
  readonly windowMs: number
  readonly most?: number
  readonly mostOfOne?: number
  /** A clock that nobody sets, in milliseconds. */
  readonly now?: () => number
}

export function limitTries({ windowMs, most = Infinity, mostOfOne = most, now = () => performance.now() }: TriesOf): Tries {
  /** The oldest first. */
  let tries: { readonly at: number; readonly source: string }[] = []

  function recent() {
    const since = now() - windowMs
    tries = tries.filter(({ at }) => at > since)
    return tries
  }

  /** Until so few of these are left that one more is allowed. */
  function until(of: typeof tries, limit: number): number {
    const blocking = limit === Infinity ? undefined : of.at(-limit)
    return blocking === undefined ? 0 : blocking.at + windowMs - now()
  }

  return {
    waitMs(source = '') {
      const all = recent()
      return Math.max(
        until(all, most),
        until(
          all.filter((one) => one.source === source),
          mostOfOne,
        ),
      )
    },
    note(source = '') {
      recent().push({ at: now(), source })
    },
  }
}
