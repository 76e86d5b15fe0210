// A durable queue as the figure `jobs` measures it: ours and its peers do the same work, each by its own means.

/**
 * `one by one`: a call for each job, answered before the next is made, and one worker that takes one job at a time.
 * `batched`: many at once, as the library itself offers.
 */
export type Manner = 'one by one' | 'batched'
export const manners: readonly Manner[] = ['one by one', 'batched']

export interface JobQueue extends AsyncDisposable {
  readonly name: string
  readonly isOurs?: boolean
  /** How durable it is and how it batches. */
  readonly settings: string
  /** Queues this many empty jobs; resolves when all are on disk. */
  enqueue(jobs: number, manner: Manner): Promise<void>
  /** Claims and completes this many; resolves when that is on disk. Answers the milliseconds from the first claim to the end. */
  work(jobs: number, manner: Manner): Promise<number>
}

/** Why a queue cannot be measured here. */
export interface Absent {
  readonly name: string
  readonly reason: string
}
