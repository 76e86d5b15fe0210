// What was last heard of runs on hosts that are asked live, for when such a host cannot be asked. In memory and bounded: the host is
// where the truth is, and what a run came to is kept with its job.

import type { Run } from '../contract/run.ts'

export interface LastKnown {
  note(run: Run): void
  of(run: string): Run | undefined
}

export function lastKnown(most = 1_000): LastKnown {
  const runs = new Map<string, Run>()
  return {
    note(run) {
      // Entered anew, so that the one that is dropped is the one that was not heard of for longest.
      runs.delete(run.id)
      runs.set(run.id, run)
      if (runs.size <= most) return
      for (const oldest of runs.keys()) return void runs.delete(oldest)
    },
    of: (run) => runs.get(run),
  }
}
