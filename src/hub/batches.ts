// Items of a stream gathered while the last batch was being worked on: one durable write for many events, no added delay for one.

export interface BatchLimit<T> {
  /** A batch that has come to this takes no more. */
  readonly most: number
  /** What an item counts; 1 if not said. */
  readonly size?: (item: T) => number
}

export async function* batches<T>(source: AsyncIterable<T>, { most, size = () => 1 }: BatchLimit<T>): AsyncGenerator<T[]> {
  const iterator = source[Symbol.asyncIterator]()
  let next = iterator.next()
  try {
    for (;;) {
      const first = await next
      if (first.done) return
      const batch = [first.value]
      let come = size(first.value)
      next = iterator.next()
      while (come < most) {
        const more = await settledAlready(next)
        if (!more || more.done) break
        batch.push(more.value)
        come += size(more.value)
        next = iterator.next()
      }
      yield batch
    }
  } finally {
    // Not awaited: a read that is still under way may end only when the stream's own signal is aborted; its failure is then nobody's.
    Promise.all([next, iterator.return?.()]).catch(() => undefined)
  }
}

const notYet = Symbol('not yet')

/** A failure is told by whoever awaits the promise next, after what came before it has been handed over. */
async function settledAlready<T>(promise: Promise<T>): Promise<T | undefined> {
  const came: Promise<T | typeof notYet> = promise.catch(() => notYet)
  const first = await Promise.race([came, new Promise<typeof notYet>((resolve) => setImmediate(resolve, notYet))])
  return first === notYet ? undefined : (first as T)
}
