// Sends HTTP requests to one hub over kept connections, and says in the catalogue's words why one failed.

import type { ClientRequest, IncomingMessage } from 'node:http'
import { transportFailure } from './broken.ts'
import type { HttpRequest } from './request.ts'
import { readProblem } from './response.ts'

/** `ca`: PEM of an authority to trust beside the system's, for a hub with a certificate of its own. */
export type HubAddress = { readonly socketPath: string } | { readonly url: string; readonly token?: string; readonly ca?: string }

export interface Transport {
  /**
   * Sends a request; resolves with the response once its headers are here and it is no error. A signal that aborts ends both,
   * with its reason. Rejects with the hub's error, or `hub.not_running`, `wire.closed`, `wire.proof`, `wire.protocol`.
   */
  send(request: HttpRequest, signal: AbortSignal, upload?: (request: ClientRequest) => Promise<void>): Promise<IncomingMessage>
  readonly close: () => void
}

// Not imported: as an ES module `node:http` reads each of its exports, and `WebSocket` among them loads a whole HTTP client, which
// takes a third of the time of a short command. TLS is loaded where it is needed.
const { Agent, request: httpRequest } = process.getBuiltinModule('node:http')

const keepAliveProbeMs = 15_000

export function openTransport(address: HubAddress): Transport {
  const { where, options, open, agent } = routeTo(address)

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
      headers: { ...options.headers, ...headers, ...length },
    })
    const abort = () => {
      asked.destroy()
      reject(signal.reason)
    }
    signal.addEventListener('abort', abort, { once: true })
    asked.once('close', () => signal.removeEventListener('abort', abort))
    asked.once('socket', (socket) => socket.setKeepAlive(true, keepAliveProbeMs))
    asked.on('error', (error) => reject(transportFailure(error, where)))
    asked.once('response', (response) => {
      // An early refusal: the hub does not want the rest of the upload.
      if (isSuccess(response)) resolve(response)
      else
        void readProblem(response)
          .then(reject, reject)
          .finally(() => upload && asked.destroy())
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

function routeTo(address: HubAddress) {
  if ('socketPath' in address) {
    const { socketPath } = address
    const options = { socketPath, base: '', headers: { Host: 'localhost' } as Record<string, string> }
    return { where: socketPath, options, open: httpRequest, agent: new Agent({ keepAlive: true }) }
  }
  const url = new URL(address.url)
  const headers: Record<string, string> = address.token === undefined ? {} : { Authorization: `Bearer ${address.token}` }
  const options = {
    hostname: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: url.port,
    base: url.pathname.replace(/\/$/, ''),
    headers,
  }
  if (url.protocol === 'https:') {
    const https = process.getBuiltinModule('node:https')
    const { getCACertificates } = process.getBuiltinModule('node:tls')
    const ca = address.ca === undefined ? {} : { ca: [...getCACertificates('default'), address.ca] }
    return { where: url.origin, options, open: https.request, agent: new https.Agent({ keepAlive: true, ...ca }) }
  }
  return { where: url.origin, options, open: httpRequest, agent: new Agent({ keepAlive: true }) }
}

function isSuccess({ statusCode = 0 }: IncomingMessage): boolean {
  return statusCode >= 200 && statusCode < 300
}
