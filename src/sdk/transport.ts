// Sends HTTP requests to one hub over kept connections, and says in the catalogue's words why one failed.

import type { ClientRequest, IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { viaHeader } from '../contract/http.ts'
import { connectTimeoutMs, timedOut, transportFailure } from './broken.ts'
import type { HttpRequest } from './request.ts'
import { readProblem } from './response.ts'
import { type Trust, tlsAgent } from './tls.ts'

export interface UrlAddress {
  readonly url: string
  /** A function is asked at each request, so that a token that is changed counts. */
  readonly token?: string | (() => string | undefined)
  /** Whom to trust over https; asked at each new connection. Without it, whom the system trusts. */
  readonly trust?: () => Trust
  /** The id of the hub that asks, where it is a hub. */
  readonly via?: string
}

export type HubAddress = { readonly socketPath: string } | UrlAddress

export interface Transport {
  /**
   * Sends a request; resolves with the response once its headers are here and it is no error. A signal that aborts ends both,
   * with its reason. Rejects with the hub's error, or `hub.not_running`, `link.certificate`, `link.tls`, `wire.closed`,
   * `wire.protocol`.
   */
  send(request: HttpRequest, signal: AbortSignal, upload?: (request: ClientRequest) => Promise<void>): Promise<IncomingMessage>
  /** Breaks every connection; requests in flight fail with `wire.closed`, and later ones make new connections. */
  readonly close: () => void
}

// Not imported: as an ES module `node:http` reads each of its exports, and `WebSocket` among them loads a whole HTTP client, which
// takes a third of the time of a short command. TLS is loaded where it is needed.
const { Agent, request: httpRequest } = process.getBuiltinModule('node:http')

const keepAliveProbeMs = 15_000

export function openTransport(address: HubAddress): Transport {
  const { where, options, open, agent, headersNow } = routeTo(address)

  function send(
    { method, path, headers, body }: HttpRequest,
    signal: AbortSignal,
    upload?: (request: ClientRequest) => Promise<void>,
  ): Promise<IncomingMessage> {
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>()
    if (signal.aborted) return Promise.reject(signal.reason)
    const length = body === undefined ? {} : { 'Content-Length': String(Buffer.byteLength(body)) }
    const asked = open({
      ...options,
      agent,
      method,
      path: `${options.base}${path}`,
      headers: { ...headersNow(), ...headers, ...length },
    })
    const abort = () => {
      asked.destroy()
      reject(signal.reason)
    }
    signal.addEventListener('abort', abort, { once: true })
    asked.once('close', () => signal.removeEventListener('abort', abort))
    asked.once('socket', (socket) => {
      socket.setKeepAlive(true, keepAliveProbeMs)
      if (socket.connecting) limitConnecting(socket)
    })
    asked.on('error', (error) => reject(transportFailure(error, where)))
    asked.once('response', (response) => {
      // An early answer: the hub does not want the rest of the upload, and its connection cannot be used again.
      response.once('close', () => asked.writableFinished || asked.destroy())
      if (isSuccess(response)) resolve(response)
      else void readProblem(response).then(reject, reject)
    })
    if (upload)
      void upload(asked).catch((error) => {
        reject(error)
        asked.destroy()
      })
    else asked.end(body)
    return promise
  }

  return { send, close: () => agent.destroy() }
}

function limitConnecting(socket: Socket): void {
  const tooLong = setTimeout(() => socket.destroy(timedOut()), connectTimeoutMs)
  for (const over of ['connect', 'close']) socket.once(over, () => clearTimeout(tooLong))
}

function routeTo(address: HubAddress) {
  if ('socketPath' in address) {
    const { socketPath } = address
    const headersNow = (): Record<string, string> => ({ Host: 'localhost' })
    return { where: socketPath, options: { socketPath, base: '' }, headersNow, open: httpRequest, agent: plainAgent() }
  }
  const url = new URL(address.url)
  const options = {
    hostname: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: url.port,
    base: url.pathname.replace(/\/$/, ''),
  }
  const route = { where: url.origin, options, headersNow: () => headersOf(address) }
  if (url.protocol !== 'https:') return { ...route, open: httpRequest, agent: plainAgent() }
  const { request } = process.getBuiltinModule('node:https')
  return { ...route, open: request, agent: tlsAgent(url.origin, address.trust ?? (() => ({}))) }
}

function headersOf({ token, via }: UrlAddress): Record<string, string> {
  const now = typeof token === 'function' ? token() : token
  return { ...(now !== undefined && { Authorization: `Bearer ${now}` }), ...(via !== undefined && { [viaHeader]: via }) }
}

function plainAgent() {
  return new Agent({ keepAlive: true })
}

function isSuccess({ statusCode = 0 }: IncomingMessage): boolean {
  return statusCode >= 200 && statusCode < 300
}
