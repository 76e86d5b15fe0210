// The WebSocket that the API takes: a node that dials in, or a machine that asks to be let in, told apart by the subprotocol. It needs
// no token, for what follows proves a key.
// Who has proven nothing yet is bounded: in number like every connection, in bytes and in what he makes the hub do here, in time by the hub.

import { type IncomingMessage, STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import { TLSSocket } from 'node:tls'
import { WebSocketServer } from 'ws'
import { asMusterError, failure, type MusterError } from '../contract/errors.ts'
import { tunnelPath } from '../contract/http.ts'
import type { Channel } from '../wire/channel.ts'
import { pairingSubprotocol, tunnelSubprotocol, webSocketChannel } from '../wire/channels/websocket.ts'
import { defaultLimits } from '../wire/limits.ts'
import type { Crowd } from './crowd.ts'
import type { HttpMetrics } from './metrics.ts'
import type { CheckOrigin } from './origin.ts'
import type { HubPort } from './port.ts'
import { problemType, toProblem } from './problem.ts'
import { makeWaitingLine } from './waiting-line.ts'

/** Signatures and look-ups of handshakes. Nobody has a place in this line while the hub waits for him, so that who is silent holds up nobody. */
const atOnce = 64
/** As many as may dial within the time in which they can be taken in. */
const mostWaiting = 2048
/** Hello and proof together are a few KiB. */
const mostUnprovenBytes = 64 * 1024

export interface TunnelDoor {
  readonly upgrade: (request: IncomingMessage, socket: Duplex, head: Buffer) => void
  close(reason: MusterError): void
}

/** Cuts a connection that says too much before its handshake is over; the answer lifts the limit. */
function limitUnproven(socket: Duplex): () => void {
  let bytes = 0
  const count = (chunk: Buffer) => {
    bytes += chunk.length
    if (bytes > mostUnprovenBytes) socket.destroy()
  }
  socket.on('data', count)
  return () => void socket.off('data', count)
}

function remoteOf({ socket }: IncomingMessage) {
  const address = socket.remoteAddress ?? ''
  return socket instanceof TLSSocket ? { address, tls: { certificate: socket.getPeerX509Certificate() } } : { address }
}

export function tunnelDoor({
  hub,
  checkOrigin,
  metrics,
  admit: admitSocket,
}: {
  hub: HubPort
  checkOrigin: CheckOrigin
  metrics: HttpMetrics
  /** Throws when there are too many connections. */
  admit: Crowd['admit']
}): TunnelDoor {
  const webSockets = new WebSocketServer({
    noServer: true,
    maxPayload: defaultLimits.maxFrame,
    perMessageDeflate: false,
    handleProtocols: (offered) => [tunnelSubprotocol, pairingSubprotocol].find((known) => offered.has(known)) ?? false,
  })
  const channels = new Set<Channel>()
  const line = makeWaitingLine({ atOnce, mostWaiting })
  let closing: MusterError | undefined

  function upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    try {
      admitSocket(request.socket)
      checkOrigin(request)
      if (request.url?.split('?', 1)[0] !== tunnelPath) {
        throw failure('operation.unknown', { operation: `a WebSocket at ${request.url?.slice(0, 200) ?? ''}` })
      }
      if (closing) throw closing
    } catch (error) {
      return refuse(socket, asMusterError(error))
    }
    const remote = remoteOf(request)
    webSockets.handleUpgrade(request, socket, head, (webSocket) => {
      const proven = limitUnproven(socket)
      const accept = webSocket.protocol === pairingSubprotocol ? hub.acceptPairing : hub.acceptTunnel
      void admit(hold(webSocketChannel(webSocket, socket)), remote, accept).finally(proven)
    })
  }

  /** Apart from the above, or each connection would keep its whole request for as long as it lasts. */
  function hold(channel: Channel): Channel {
    channels.add(channel)
    void channel.closed.then(() => channels.delete(channel))
    return channel
  }

  async function admit(channel: Channel, remote: ReturnType<typeof remoteOf>, accept: HubPort['acceptTunnel']): Promise<void> {
    try {
      await accept(channel, { ...remote, takeTurn: line.take })
    } catch (error) {
      channel.close(asMusterError(error))
    }
  }

  function refuse(socket: Duplex, error: MusterError): void {
    metrics.refused(error.code)
    const body = JSON.stringify(toProblem(error))
    // A client that is gone already needs no refusal.
    socket.on('error', () => socket.destroy())
    // Nobody watches it any more: a client that keeps its half open would keep it for ever.
    socket.once('finish', () => socket.destroy())
    socket.end(
      [
        `HTTP/1.1 ${error.status} ${STATUS_CODES[error.status] ?? 'Refused'}`,
        'Connection: close',
        `Content-Type: ${problemType}`,
        `Content-Length: ${Buffer.byteLength(body)}`,
        '',
        body,
      ].join('\r\n'),
    )
  }

  return {
    upgrade,
    close(reason) {
      closing = reason
      for (const channel of channels) channel.close(reason)
    },
  }
}
