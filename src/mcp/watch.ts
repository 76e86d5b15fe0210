// Follows the hub's events for who has subscribed to resources, and says which of them are another than before.

import { followFleetEvents } from '../contract/fleet-event.ts'
import { pause } from '../contract/pause.ts'
import type { ToolFleet } from './fleet.ts'
import { newestPosition } from './news.ts'
import { environmentUri, eventsUri, overviewUri } from './resources.ts'

export interface Change {
  /** Resources that now read otherwise. */
  readonly uris: readonly string[]
  /** There are others than before. */
  readonly list: boolean
}

const topics = ['host.*', 'run.*', 'approval.*', 'node.*']
const againAfterMs = 2_000
const togetherMs = 1_000

/** Until the signal aborts, also over a hub that is away for a while: then everything may have changed. What comes fast is told together. */
export async function watchFleet(fleet: ToolFleet, tell: (change: Change) => void, signal: AbortSignal): Promise<void> {
  let after: number | undefined
  let hasMissed = false
  const onChange = together(tell, signal)
  while (!signal.aborted) {
    try {
      after ??= await newestPosition(fleet, signal)
      if (hasMissed) onChange({ uris: [eventsUri, overviewUri], list: true })
      hasMissed = false
      for await (const { position, topic, name } of fleet.hub.items(
        followFleetEvents,
        { after, follow: true, topics },
        { signal },
      )) {
        after = position
        const isLink = topic === 'host.connected' || topic === 'host.disconnected'
        const read = isLink ? [overviewUri, ...(name === null ? [] : [environmentUri(name)])] : []
        onChange({ uris: [eventsUri, ...read], list: isLink })
      }
    } catch {
      // Whatever it is, what was missed is told as a whole once the hub answers again.
      after = undefined
      hasMissed = true
    }
    await pause(againAfterMs, signal)
  }
}

/** The first change at once; those that follow within a moment as one, at its end. */
function together(tell: (change: Change) => void, signal: AbortSignal): (change: Change) => void {
  const uris = new Set<string>()
  let isList = false
  let toldAtMs = Number.NEGATIVE_INFINITY
  let timer: NodeJS.Timeout | undefined
  const tellAll = () => {
    timer = undefined
    toldAtMs = performance.now()
    const change = { uris: [...uris], list: isList }
    uris.clear()
    isList = false
    tell(change)
  }
  signal.addEventListener('abort', () => clearTimeout(timer), { once: true })
  return (change) => {
    for (const uri of change.uris) uris.add(uri)
    isList ||= change.list
    timer ??= setTimeout(tellAll, Math.max(0, toldAtMs + togetherMs - performance.now()))
  }
}
