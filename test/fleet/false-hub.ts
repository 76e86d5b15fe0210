// A hub that was taken over: it has the real one's key and address, its nodes dial it and find the key that they have pinned. From then on
// the test has each link, and says what it likes.

import { join } from 'node:path'
import { WebSocketServer } from 'ws'
import { tunnelPath } from '../../src/contract/http.ts'
import { implementation, type Principal } from '../../src/contract/implementation.ts'
import { tunnelSubprotocol, webSocketChannel } from '../../src/wire/channels/websocket.ts'
import { acceptHandshake } from '../../src/wire/handshake.ts'
import { loadIdentity } from '../../src/wire/identity.ts'
import { createPeer, type Peer } from '../../src/wire/peer.ts'

export interface FalseHub extends AsyncDisposable {
  /** The link of the node that has dialled. */
  readonly peer: Peer
}

const node: Principal = { kind: 'node', id: 'node', role: 'node', scopes: new Set() }

/** In place of the hub of this home, which is dead: `url` is where it was. Resolves when a node has joined. */
export async function takeOver(home: string, url: string, host: { id: string; name: string }): Promise<FalseHub> {
  const identity = await loadIdentity(join(home, 'hub', 'key'))
  const { hostname, port } = new URL(url)
  const server = new WebSocketServer({
    host: hostname,
    port: Number(port),
    path: tunnelPath,
    handleProtocols: () => tunnelSubprotocol,
  })
  const joined = Promise.withResolvers<Peer>()
  server.on('connection', async (socket) => {
    try {
      const channel = webSocketChannel(socket)
      const admit = async () => ({ welcome: { host }, principal: node })
      const { principal, limits } = await acceptHandshake(channel, {
        identity,
        role: 'hub',
        software: '0.1.0',
        timeoutMs: 30_000,
        admit,
      })
      joined.resolve(createPeer(channel, { offers: implementation(), principal, limits, name: 'the node' }))
    } catch (error) {
      joined.reject(error)
    }
  })
  server.on('error', joined.reject)
  const peer = await joined.promise
  return {
    peer,
    async [Symbol.asyncDispose]() {
      await peer[Symbol.asyncDispose]()
      for (const socket of server.clients) socket.terminate()
      const closed = Promise.withResolvers<void>()
      server.close(() => closed.resolve())
      await closed.promise
    },
  }
}
