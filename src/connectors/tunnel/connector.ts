// The hub's side of a tunnel: a host that dials out over a WebSocket and is asked over that connection.
// How it breaks: any time. Then the host is offline, its runs go on, readers see the mirror, and the node dials again.
// A node that dials while an older connection of its is still open replaces it; the old one's late close changes nothing.

import { failure, type MusterError } from '../../contract/errors.ts'
import type { Principal } from '../../contract/implementation.ts'
import type { Channel } from '../../wire/channel.ts'
import type { Limits } from '../../wire/limits.ts'
import { createPeer, type Peer } from '../../wire/peer.ts'
import { linkStateCell, offline } from '../link-state.ts'
import type { Connector, ConnectorContext } from '../port.ts'

export function connectTunnel({ lastSeenAt }: Pick<ConnectorContext, 'lastSeenAt'>): Connector {
  const cell = linkStateCell(
    lastSeenAt === null
      ? { status: 'never_seen', since: null }
      : { status: 'offline', since: lastSeenAt, reason: 'its node has not dialled in again' },
  )
  let current: Peer | undefined
  let ended: MusterError | undefined

  function attach(channel: Channel, node: Principal, limits: Limits): void {
    if (ended) return channel.close(ended)
    // Nothing is offered: a node's credential can ask its hub for nothing.
    const peer = createPeer(channel, { offers: new Map(), principal: node, limits, name: `tunnel ${node.id}` })
    const replaced = current
    current = peer
    cell.set({ status: 'online', since: new Date().toISOString(), caller: peer })
    replaced?.close(failure('wire.closed', { reason: 'the node dialled in again' }))
    void peer.closed.then((reason) => {
      if (current !== peer) return
      current = undefined
      cell.set(offline(reason.message))
    })
  }

  async function close(reason: MusterError): Promise<void> {
    ended ??= reason
    const peer = current
    // Where nobody is connected, nobody was seen just now: the state stays what it was.
    if (!peer) return
    peer.close(reason)
    await peer.closed
  }

  return {
    traits: { mirrored: true, deferred: false, interactive: true },
    get state() {
      return cell.state
    },
    onChange: cell.onChange,
    attach,
    close,
    [Symbol.asyncDispose]: () => close(failure('wire.closed', { reason: 'the hub is closing' })),
  }
}
