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
import type { Crowd } from './crowd.ts'
import type { HttpMetrics } from './metrics.ts'
import type { CheckOrigin } from './origin.ts'
import type { HubPort } from './port.ts'
import { problemType, toProblem } from './problem.ts'
import { makeWaitingLine } from './waiting-line.ts'

/** Handshakes, each of which costs the hub a signature. */
const atOnce = 64
/** As many as may dial within the time in which they can be taken in. */
const mostWaiting = 2048
/** Who dialled gives up then. */
const patienceMs = 10_000

export interface TunnelDoor {
  readonly upgrade: (request: IncomingMessage, socket: Duplex, head: Buffer) => void
  close(reason: MusterError): void
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
    // Nobody has proven anything yet: a frame of the ordinary size is all that is held for them.
    maxPayload: defaultLimits.maxFrame,
    perMessageDeflate: false,
    handleProtocols: (offered) => offered.has(tunnelSubprotocol) && tunnelSubprotocol,
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
      const cameAt = performance.now()
      line.take(async () => {
        if (performance.now() - cameAt > patienceMs) socket.destroy()
        else await takeIn(request, socket, head)
      })
    } catch (error) {
      return refuse(socket, asMusterError(error))
    }
    // One that breaks while it waits is found broken when its turn comes.
    socket.on('error', () => socket.destroy())
  }

  /** Resolves when the handshake is over. */
  async function takeIn(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    if (closing) return refuse(socket, closing)
    const { remoteAddress = '' } = request.socket
    let handshake: Promise<void> | undefined
    webSockets.handleUpgrade(request, socket, head, (webSocket) => {
      handshake = admit(hold(webSocketChannel(webSocket, socket)), remoteAddress)
    })
    await handshake
  }

  /** Apart from the above, or each connection would keep its whole request for as long as it lasts. */
  function hold(channel: Channel): Channel {
    channels.add(channel)
    void channel.closed.then(() => channels.delete(channel))
    return channel
  }

  async function admit(channel: Channel, address: string): Promise<void> {
    try {
      await hub.acceptTunnel(channel, { address })
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
