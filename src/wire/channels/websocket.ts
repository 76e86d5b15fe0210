// The channel over a WebSocket: one message is one frame. Used where a node dials its hub; it knows no path and no token.
// Compression is off: output is bulk data on fast links, and per-message deflate costs memory on each idle connection.
// Where the optional bufferutil is installed, `ws` masks with it: that halves a node's processor time for bulk output.

import type { Agent, IncomingMessage } from 'node:http'
import type { Writable } from 'node:stream'
import { TLSSocket } from 'node:tls'
import WebSocket from 'ws'
import { failure, type MusterError } from '../../contract/errors.ts'
import type { Channel } from '../channel.ts'
import { defaultLimits } from '../limits.ts'
import { createInbox } from './inbox.ts'

export const tunnelSubprotocol = 'muster.1'
/** What a machine dials with to be let in. */
export const pairingSubprotocol = 'muster-pair.1'

export interface WebSocketDial {
  readonly timeoutMs: number
  /** Default: the tunnel's. */
  readonly subprotocol?: string
  readonly headers?: Readonly<Record<string, string>>
  /** Makes the connection; for wss:// it decides whom to trust. */
  readonly agent?: Agent
  readonly signal?: AbortSignal
  /** The largest message that is read, in bytes. Default: the wire's own. */
  readonly maxFrame?: number
}

/** Dials and resolves once the WebSocket is open. Rejects with `call.deadline`, `call.cancelled` or `wire.closed`, which says why. */
export function dialWebSocket(
  url: string,
  { timeoutMs, subprotocol = tunnelSubprotocol, headers = {}, agent, signal, maxFrame = defaultLimits.maxFrame }: WebSocketDial,
): Promise<Channel> {
  const { promise, resolve, reject } = Promise.withResolvers<Channel>()
  if (signal?.aborted) return Promise.reject(failure('call.cancelled'))
  const webSocket = new WebSocket(url, subprotocol, {
    maxPayload: maxFrame,
    perMessageDeflate: false,
    headers,
    ...(agent !== undefined && { agent }),
  })
  const give = (error: MusterError) => {
    reject(error)
    webSocket.terminate()
  }
  const timer = setTimeout(() => give(failure('call.deadline', { operation: 'dialling', ms: timeoutMs })), timeoutMs)
  const cancel = () => give(failure('call.cancelled'))
  signal?.addEventListener('abort', cancel, { once: true })
  let socket: Writable | undefined
  webSocket.once('upgrade', (response) => {
    socket = response.socket
  })
  webSocket.once('open', () => resolve(webSocketChannel(webSocket, socket)))
  // Kept on: terminating a socket that is still connecting reports an error too, which then changes nothing.
  webSocket.on('error', (error) => reject(failure('wire.closed', { reason: error.message }, { cause: error })))
  webSocket.once('unexpected-response', (_, response) => give(refusal(response)))
  return promise.finally(() => {
    clearTimeout(timer)
    signal?.removeEventListener('abort', cancel)
  })
}

function refusal(response: IncomingMessage): MusterError {
  return failure('wire.closed', { reason: `the upgrade was answered ${response.statusCode} ${response.statusMessage}` })
}

const drainedBelowBytes = 128 * 1024
/** So many frames of one turn leave at once, then twice as many, and so on: the other side begins while this one goes on. */
const firstTogether = 4
/** How long the closing handshake may take before the socket is cut. */
const closeGraceMs = 1_000

/**
 * Takes over an open WebSocket, whichever side dialled. Its server sets `maxPayload` and turns `perMessageDeflate` off.
 * With the `socket` below it, frames that are sent in one turn leave in few writes: twice the calls a second.
 */
export function webSocketChannel(webSocket: WebSocket, socket?: Writable): Channel {
  const ended = Promise.withResolvers<MusterError>()
  let open = true
  let corked = false
  let held = 0
  let mostHeld = firstTogether
  let problem: Error | undefined
  let drains: (() => void)[] = []

  const inbox = createInbox((on) => {
    if (on) webSocket.resume()
    else if (open) webSocket.pause()
  })

  function cork(): void {
    if (corked || !socket) return
    corked = true
    mostHeld = firstTogether
    socket.cork()
    process.nextTick(uncork)
  }

  function uncork(): void {
    corked = false
    held = 0
    socket?.uncork()
  }

  function letGo(): void {
    held += 1
    if (!socket || held < mostHeld) return
    held = 0
    mostHeld *= 2
    socket.uncork()
    socket.cork()
  }

  function end(reason: MusterError): void {
    open = false
    ended.resolve(reason)
    release()
  }

  function release(): void {
    const waiting = drains
    drains = []
    for (const resolve of waiting) resolve()
  }

  // Told of each message that the system took. An error here is told again by 'close'.
  function taken(): void {
    if (drains.length > 0 && webSocket.bufferedAmount <= drainedBelowBytes) release()
  }

  webSocket.pause()
  webSocket.on('message', (data, isBinary) => {
    if (!open) return
    const bytes = data as Buffer
    inbox.deliver(isBinary ? { kind: 'binary', bytes } : { kind: 'text', text: bytes.toString('utf8') })
  })
  webSocket.on('error', (error) => {
    problem = error
  })
  webSocket.on('close', (code, text) => end(whyClosed(problem, code, text.toString('utf8'))))

  return {
    send(frame) {
      if (!open) return
      cork()
      if (frame.kind === 'text') webSocket.send(frame.text, taken)
      else webSocket.send(frame.bytes, taken)
      letGo()
    },
    get bufferedBytes() {
      return webSocket.bufferedAmount
    },
    drained() {
      if (!open || webSocket.bufferedAmount <= drainedBelowBytes) return Promise.resolve()
      return new Promise((resolve) => drains.push(resolve))
    },
    receive: inbox.receive,
    tlsBinding: socket instanceof TLSSocket ? exported(socket) : undefined,
    close(reason) {
      if (!open) return
      end(reason)
      webSocket.resume()
      webSocket.close(reason.code === 'wire.closed' ? 1000 : 4000, cut(`${reason.code}: ${reason.message}`))
      const timer = setTimeout(() => webSocket.terminate(), closeGraceMs)
      webSocket.once('close', () => clearTimeout(timer))
    },
    closed: ended.promise,
  }
}

/** RFC 5705, with a label of our own: it tells nothing of the connection's keys. */
function exported(socket: TLSSocket): string {
  return socket.exportKeyingMaterial(32, 'EXPERIMENTAL-muster-link', Buffer.alloc(0)).toString('base64url')
}

function whyClosed(problem: Error | undefined, code: number, text: string): MusterError {
  const broken = problem as NodeJS.ErrnoException | undefined
  if (broken?.code === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH') {
    return failure('wire.protocol', { problem: 'a frame is larger than this side takes' }, { cause: problem })
  }
  if (broken?.code?.startsWith('WS_ERR_')) return failure('wire.protocol', { problem: broken.message }, { cause: problem })
  if (broken) return failure('wire.closed', { reason: broken.message }, { cause: problem })
  if (code === 1006) return failure('wire.closed', { reason: 'the connection broke' })
  return failure('wire.closed', { reason: `the other side closed it (${text === '' ? code : text})` })
}

/** A close frame holds at most 123 bytes of text; a character is not cut in half. */
function cut(text: string): string {
  let bytes = Buffer.from(text)
  if (bytes.length <= 123) return text
  let end = 123
  while (((bytes[end] as number) & 0xc0) === 0x80) end--
  bytes = bytes.subarray(0, end)
  return bytes.toString('utf8')
}
