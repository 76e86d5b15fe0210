// The host's side of ssh: the socket in the node's home at which `muster node attach` joins a hub's ssh session to this host.
// Whoever can open it is this account, and could run anything here anyway; what a hub may do is still the host's own policy's decision.

import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Logger } from 'pino'
import { asMusterError, failure } from '../../contract/errors.ts'
import type { Implementation, Principal } from '../../contract/implementation.ts'
import { scopes } from '../../contract/operation.ts'
import type { Channel } from '../../wire/channel.ts'
import { socketPath } from '../../wire/channels/socket-path.ts'
import { listenUnix } from '../../wire/channels/unix.ts'
import { acceptHandshake } from '../../wire/handshake.ts'
import { fingerprintOf, loadIdentity } from '../../wire/identity.ts'
import { createPeer, type Peer } from '../../wire/peer.ts'

const handshakeTimeoutMs = 10_000

export interface Attached extends AsyncDisposable {
  /** Hubs that are joined now, or just joining. */
  readonly links: number
}

export interface ServeAttached {
  /** $MUSTER_HOME; key and socket are in `node/` there. */
  readonly home: string
  readonly host: { readonly offers: Implementation }
  readonly version: string
  readonly log: Logger
}

/** Where `muster node attach` dials. */
export function attachSocket(home: string): string {
  return socketPath(join(home, 'node'), 'attach.sock')
}

/** Serves hubs that come by ssh until disposed. Only for the process that holds the host's home. */
export async function serveAttached({ home, host, version, log }: ServeAttached): Promise<Attached> {
  await mkdir(join(home, 'node'), { recursive: true, mode: 0o700 })
  const identity = await loadIdentity(join(home, 'node', 'key'))
  const joining = new Map<Promise<void>, Channel>()
  const peers = new Set<Peer>()

  async function admitHub(channel: Channel): Promise<void> {
    try {
      const { principal, limits, software } = await acceptHandshake(channel, {
        identity,
        role: 'node',
        software: version,
        timeoutMs: handshakeTimeoutMs,
        admit: async ({ key }) => ({ welcome: {}, principal: hubPrincipal(key) }),
      })
      const peer = createPeer(channel, { offers: host.offers, principal, limits, name: 'hub' })
      peers.add(peer)
      log.debug({ hub: principal.id, software }, 'a hub has joined by ssh')
      void peer.closed.then((reason) => {
        peers.delete(peer)
        log.debug({ hub: principal.id, reason: reason.message }, 'a hub has left')
      })
    } catch (error) {
      log.warn({ error: asMusterError(error).toValue() }, 'a hub could not join by ssh')
    }
  }

  const listener = await listenUnix(attachSocket(home), (channel) => {
    const joined = admitHub(channel).finally(() => joining.delete(joined))
    joining.set(joined, channel)
  })
  return {
    get links() {
      return peers.size + joining.size
    },
    async [Symbol.asyncDispose]() {
      const reason = failure('wire.closed', { reason: 'the node is closing' })
      await listener.close()
      for (const channel of joining.values()) channel.close(reason)
      await Promise.all(joining.keys())
      for (const peer of peers) peer.close(reason)
    },
  }
}

/** A hub may ask for everything here; what it gets is the host's own policy's decision. */
function hubPrincipal(key: string): Principal {
  return { kind: 'hub', id: fingerprintOf(key), role: 'hub', scopes: new Set(scopes) }
}
