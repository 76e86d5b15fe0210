// One thing after the other: what happens to a run or a proc takes turns, so that no two changes interleave.

export type Serially = <T>(work: () => Promise<T>) => Promise<T>

export function makeQueue(): Serially {
  let last: Promise<unknown> = Promise.resolve()
  return (work) => {
    const mine = last.then(work)
    // The failure is the caller's; the next in the queue is not touched by it.
    last = mine.catch(() => {})
    return mine
  }
}
