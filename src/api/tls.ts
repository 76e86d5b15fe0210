// A listener that ends TLS. It asks for a client certificate and takes every connection: whose certificate counts is the tunnel door's
// matter, since people and programs come with tokens. Whoever speaks plain HTTP is told so.

import type { RequestListener } from 'node:http'
import { STATUS_CODES } from 'node:http'
import { createServer, type Server, type ServerOptions } from 'node:https'
import type { Socket } from 'node:net'
import { failure } from '../contract/errors.ts'
import { problemType, toProblem } from './problem.ts'

export interface ListenerTls {
  /** PEM: what to present, and the authorities whose client certificates are asked for. */
  now(): { readonly key: string; readonly cert: string; readonly ca: string }
  /** Told when that has changed. */
  onChange(changed: () => void): void
}

const handshakeTimeoutMs = 10_000
/** The first byte of every TLS connection; no HTTP request begins with it. */
const tlsHandshake = 0x16

export interface TlsServer {
  readonly server: Server
  /** The connection that carries this one, as the server's event `connection` told of it. */
  readonly connectionBelow: (socket: Socket) => Socket
}

export function tlsServer(options: ServerOptions, listener: RequestListener, tls: ListenerTls): TlsServer {
  const server = createServer(
    {
      ...options,
      ...tls.now(),
      requestCert: true,
      rejectUnauthorized: false,
      ALPNProtocols: ['http/1.1'],
      handshakeTimeout: handshakeTimeoutMs,
    },
    listener,
  )
  tls.onChange(() => server.setSecureContext(tls.now()))
  const open = new Map<string, Socket>()
  const undecided = new Set<Socket>()
  const secure = server.listeners('connection') as ((socket: Socket) => void)[]
  server.removeAllListeners('connection')
  server.on('connection', (socket: Socket) => {
    const end = endOf(socket)
    open.set(end, socket)
    undecided.add(socket)
    socket.once('close', () => {
      undecided.delete(socket)
      if (open.get(end) === socket) open.delete(end)
    })
    onFirstByte(socket, (byte) => {
      if (byte === tlsHandshake) for (const take of secure) take.call(server, socket)
      else refusePlain(socket)
    })
  })
  server.on('secureConnection', (socket) => {
    const below = open.get(endOf(socket))
    if (below) undecided.delete(below)
  })
  const closeAll = server.closeAllConnections.bind(server)
  // The server itself knows only those whose handshake is over.
  server.closeAllConnections = () => {
    for (const socket of undecided) socket.destroy()
    closeAll()
  }
  return { server, connectionBelow: (socket) => open.get(endOf(socket)) ?? socket }
}

/** Of two open connections to one port, no two have the same. */
function endOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`
}

/** What was read is put back. */
function onFirstByte(socket: Socket, decide: (byte: number) => void): void {
  const late = setTimeout(() => socket.destroy(), handshakeTimeoutMs)
  const broken = () => socket.destroy()
  const look = () => {
    const chunk = socket.read(1) as Buffer | null
    if (chunk === null) return
    settle()
    socket.unshift(chunk)
    decide(chunk[0] as number)
  }
  const settle = () => {
    clearTimeout(late)
    socket.off('readable', look).off('error', broken).off('end', broken).off('close', settle)
  }
  socket.on('readable', look).on('error', broken).on('end', broken).on('close', settle)
}

function refusePlain(socket: Socket): void {
  const error = failure('http.tls_wanted')
  const body = JSON.stringify(toProblem(error))
  socket.on('error', () => socket.destroy())
  // What it still says is not read: it may be a token that should not have been sent.
  socket.once('finish', () => socket.destroySoon())
  socket.end(
    [
      `HTTP/1.1 ${error.status} ${STATUS_CODES[error.status]}`,
      'Connection: close, Upgrade',
      'Upgrade: TLS/1.2, HTTP/1.1',
      `Content-Type: ${problemType}`,
      `Content-Length: ${Buffer.byteLength(body)}`,
      '',
      body,
    ].join('\r\n'),
  )
}
