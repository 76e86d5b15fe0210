// Which of a bucket's workers are here, by their signs of life, and what the last of them said of its machine.

import type { HostInfo } from '../../contract/host.ts'
import type { BeatMessage } from './messages.ts'

/** So many beats may be missed before a worker counts as away. */
const beatsMissed = 2.5
/** A worker that has left is still reached for so long, so that what it left is read. */
const graceMs = 5_000

export interface Presence {
  hear(worker: string, beat: BeatMessage): void
  /** Who tells lives, also where the beat has to wait. */
  extend(worker: string): void
  isAnyHere(atMs: number): boolean
  isHere(worker: string, atMs: number): boolean
  /** One of those that are here, the same again for as long as it is. */
  first(atMs: number): string | undefined
  /** What the newest beat said, and when it was heard. */
  readonly latest: { readonly info: HostInfo; readonly heardAtMs: number } | undefined
  /** The bucket itself could not be looked at, which is why then. */
  blame(problem: string): void
  /** Why nobody is here, should that be so. */
  readonly reason: string
}

/** `intervalMs`: how often the hub looks. */
export function makePresence(intervalMs: number): Presence {
  /** By each worker's last sign of life: until when it counts as here, and for how long one more would count. */
  const alive = new Map<string, { readonly untilMs: number; readonly forMs: number }>()
  let latest: Presence['latest']
  let reason = 'no worker has looked into the bucket since the hub started'
  return {
    hear(worker, beat) {
      latest = { info: beat.info, heardAtMs: performance.now() }
      reason = beat.leaving ? 'its worker has left' : 'its worker has not been heard of since'
      const forMs = beat.leaving ? graceMs : beatsMissed * beat.everyMs + 2 * intervalMs
      alive.set(worker, { forMs, untilMs: performance.now() + forMs })
    },
    extend(worker) {
      const { forMs } = alive.get(worker) ?? { forMs: 0 }
      if (forMs > 0) alive.set(worker, { forMs, untilMs: performance.now() + forMs })
    },
    isHere: (worker, atMs) => atMs < (alive.get(worker)?.untilMs ?? 0),
    first: (atMs) => [...alive].flatMap(([worker, { untilMs }]) => (atMs < untilMs ? [worker] : [])).sort()[0],
    isAnyHere: (atMs) => [...alive.values()].some(({ untilMs }) => atMs < untilMs),
    get latest() {
      return latest
    },
    blame(problem) {
      reason = problem
    },
    get reason() {
      return reason
    },
  }
}
