// Tells of a host's link as it comes and goes. Of one that does so without end not every time is told, but always how it came to stand:
// no host may push what others tell out of the history.

import type { FleetHost } from './fleet.ts'
import type { FleetEvents } from './fleet-events.ts'
import { limitTries } from './tries.ts'

const windowMs = 10 * 60_000
const mostInWindow = 100

/** Until it is disposed. A host that is online already is told of as one that has come. */
export function tellLink(host: FleetHost, events: Pick<FleetEvents, 'publish'>): Disposable {
  const { connector } = host
  const told = limitTries({ windowMs, most: mostInWindow })
  let toldOnline = false
  let later: NodeJS.Timeout | undefined

  function look(): void {
    if (later !== undefined || (connector.state.status === 'online') === toldOnline) return
    const waitMs = told.waitMs()
    if (waitMs <= 0) return tell()
    later = setTimeout(() => {
      later = undefined
      look()
    }, waitMs)
    later.unref()
  }

  function tell(): void {
    const { state } = connector
    told.note()
    toldOnline = state.status === 'online'
    const about = { host: { id: host.id, name: host.name } }
    if (state.status === 'online') events.publish({ ...about, topic: 'host.connected', data: { connector: host.kind } })
    else events.publish({ ...about, topic: 'host.disconnected', data: { reason: state.reason ?? null } })
  }

  look()
  const stop = connector.onChange(look)
  return {
    [Symbol.dispose]() {
      stop()
      if (later === undefined) return
      clearTimeout(later)
      if ((connector.state.status === 'online') !== toldOnline) tell()
    },
  }
}
