// The one WebSocket that the API takes: a node that dials in. It needs no token, for the handshake that follows proves a key;
// what comes before that proof is bounded in number here and in time by the hub.

import { type IncomingMessage, STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import { WebSocketServer } from 'ws'
import { asMusterError, failure, type MusterError } from '../contract/errors.ts'
import { tunnelPath } from '../contract/http.ts'
import type { Channel } from '../wire/channel.ts'
import { tunnelSubprotocol, webSocketChannel } from '../wire/channels/websocket.ts'
import { defaultLimits } from '../wire/limits.ts'
import type { HttpMetrics } from './metrics.ts'
import type { CheckOrigin } from './origin.ts'
import type { HubPort } from './port.ts'
import { problemType, toProblem } from './problem.ts'

const maxPending = 64

export interface TunnelDoor {
  readonly upgrade: (request: IncomingMessage, socket: Duplex, head: Buffer) => void
  close(reason: MusterError): void
}

export function tunnelDoor({
  hub,
  checkOrigin,
  metrics,
}: {
  hub: HubPort
  checkOrigin: CheckOrigin
  metrics: HttpMetrics
}): TunnelDoor {
  const webSockets = new WebSocketServer({
    noServer: true,
    // Nobody has proven anything yet: a frame of the ordinary size is all that is held for them.
    maxPayload: defaultLimits.maxFrame,
    perMessageDeflate: false,
    handleProtocols: (offered) => offered.has(tunnelSubprotocol) && tunnelSubprotocol,
  })
  const channels = new Set<Channel>()
  let pending = 0
  let closing: MusterError | undefined

  function upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    try {
      checkOrigin(request)
      if (request.url?.split('?', 1)[0] !== tunnelPath) {
        throw failure('operation.unknown', { operation: `a WebSocket at ${request.url?.slice(0, 200) ?? ''}` })
      }
      if (closing) throw closing
      if (pending >= maxPending) throw failure('wire.overloaded', { pending })
    } catch (error) {
      return refuse(socket, asMusterError(error))
    }
    webSockets.handleUpgrade(request, socket, head, (webSocket) => {
      const channel = webSocketChannel(webSocket, socket)
      channels.add(channel)
      void channel.closed.then(() => channels.delete(channel))
      void admit(channel, request.socket.remoteAddress ?? '')
    })
  }

  async function admit(channel: Channel, address: string): Promise<void> {
    pending++
    try {
      await hub.acceptTunnel(channel, { address })
    } catch (error) {
      channel.close(asMusterError(error))
    } finally {
      pending--
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
