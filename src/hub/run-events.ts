// Tells of runs that end, of each host no more in a second than somebody would read: what is beyond is counted. Who must miss none reads
// the runs' own events.

import type { JournalEntry } from '../contract/event.ts'
import { isTerminal } from '../contract/run.ts'
import type { FleetHost } from './fleet.ts'
import type { FleetEvents } from './fleet-events.ts'

const windowMs = 1_000
const mostInAWindow = 20

export interface RunEnds extends Disposable {
  note(entries: readonly JournalEntry[]): void
}

/** Until it is disposed, which tells what was only counted so far. */
export function tellRunEnds({ id, name }: FleetHost, events: Pick<FleetEvents, 'publish'>): RunEnds {
  let told = 0
  let more = 0
  let window: NodeJS.Timeout | undefined
  const tell = (data: Record<string, unknown>) => events.publish({ topic: 'run.ended', host: { id, name }, data })
  const close = () => {
    clearTimeout(window)
    window = undefined
    if (more > 0) tell({ more })
    told = 0
    more = 0
  }
  return {
    note(entries) {
      for (const { run, event } of entries) {
        if (event.type !== 'state' || !isTerminal(event.state)) continue
        window ??= setTimeout(close, windowMs)
        if (told++ < mostInAWindow) tell({ run, state: event.state, ...(event.error && { code: event.error.code }) })
        else more++
      }
    },
    [Symbol.dispose]: close,
  }
}
