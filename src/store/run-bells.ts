// The wake-ups for readers of runs in one store: one bell for each run that somebody reads, and one for the whole journal.
// Whoever changes a host's runs in the store rings; readers look for themselves.

import type { Run } from '../contract/run.ts'
import { type Bell, makeBell } from './bell.ts'

export interface RunBells {
  /** A run's events have changed. */
  ring(run: Pick<Run, 'id'>): void
  /** A run's own bell, to ring it alone: its output has changed. */
  of(run: string): Pick<Bell, 'ring'>
  /** A run's own bell, to wait for it. Disposed when the reader is done: a bell exists only as long as a run is read. */
  listen(run: string): Pick<Bell, 'rings' | 'after'> & Disposable
  readonly journal: Bell
}

export function makeRunBells(): RunBells {
  const bells = new Map<string, { bell: Bell; listeners: number }>()
  const journal = makeBell()
  const silent: Pick<Bell, 'ring'> = { ring() {} }
  const of = (run: string) => bells.get(run)?.bell ?? silent
  return {
    journal,
    of,
    ring({ id }) {
      of(id).ring()
      journal.ring()
    },
    listen(run) {
      const entry = bells.get(run) ?? { bell: makeBell(), listeners: 0 }
      bells.set(run, entry)
      entry.listeners += 1
      const { bell } = entry
      return {
        after: bell.after,
        get rings() {
          return bell.rings
        },
        [Symbol.dispose]() {
          entry.listeners -= 1
          if (entry.listeners === 0) bells.delete(run)
        },
      }
    },
  }
}
