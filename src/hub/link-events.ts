// Tells of a host's link as it comes and goes.

import type { LinkState } from '../connectors/port.ts'
import type { FleetHost } from './fleet.ts'
import type { FleetEvents } from './fleet-events.ts'

/** Until it is disposed. A host that is online already is told of as one that has come. */
export function tellLink(host: FleetHost, events: Pick<FleetEvents, 'publish'>): Disposable {
  let wasOnline = false
  const note = (state: LinkState) => {
    const isOnline = state.status === 'online'
    if (isOnline === wasOnline) return
    wasOnline = isOnline
    const about = { host: { id: host.id, name: host.name } }
    if (state.status === 'online') events.publish({ ...about, topic: 'host.connected', data: { connector: host.kind } })
    else events.publish({ ...about, topic: 'host.disconnected', data: { reason: state.reason ?? null } })
  }
  note(host.connector.state)
  const stop = host.connector.onChange(note)
  return { [Symbol.dispose]: stop }
}
