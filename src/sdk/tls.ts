// TLS to a hub: whom to trust. Nothing is sent before that is settled.

import type { Agent, RequestOptions } from 'node:https'
import type { TLSSocket } from 'node:tls'
import { failure, type MusterError } from '../contract/errors.ts'
import { connectTimeoutMs, timedOut } from './broken.ts'

export interface Trust {
  /** PEM of the authorities that count, instead of the system's. */
  readonly ca?: string | undefined
  /** The hub's public key as it must be (`keyPin`). Without `ca` it alone counts, whoever signed the certificate, and until when. */
  readonly pin?: string | undefined
}

/** An agent that asks whom to trust at each new connection, so that a file that is changed counts. */
export function tlsAgent(where: string, trustNow: () => Trust): Agent {
  const { Agent: TlsAgent } = process.getBuiltinModule('node:https')
  const agent = new TlsAgent({ keepAlive: true })
  const connecting = new Set<TLSSocket>()
  agent.createConnection = (options, connected) => {
    const trust = trustNow()
    const socket = dial(options, trust)
    connecting.add(socket)
    const tooLong = setTimeout(() => socket.destroy(timedOut()), connectTimeoutMs)
    const made = () => {
      const problem = trust.pin === undefined ? undefined : wrongKey(socket, trust.pin, where)
      if (problem) socket.destroy(problem)
      else settle(null)
    }
    const settle = (error: Error | null) => {
      clearTimeout(tooLong)
      connecting.delete(socket)
      socket.off('secureConnect', made).off('error', settle)
      connected?.(error, socket)
    }
    socket.once('secureConnect', made).once('error', settle)
    // Not returned: the agent would send over it at once.
    return undefined
  }
  const destroy = agent.destroy.bind(agent)
  // The agent itself knows only those that were handed to it.
  agent.destroy = () => {
    for (const socket of connecting) socket.destroy(failure('wire.closed', { reason: 'it was closed while it was being made' }))
    destroy()
  }
  return agent
}

function dial({ host, port, servername }: Pick<RequestOptions, 'host' | 'port' | 'servername'>, { ca, pin }: Trust): TLSSocket {
  const { connect } = process.getBuiltinModule('node:tls')
  return connect({
    host: host ?? 'localhost',
    port: Number(port) || 443,
    ...(servername !== undefined && { servername }),
    ALPNProtocols: ['http/1.1'],
    rejectUnauthorized: pin === undefined || ca !== undefined,
    ...(ca !== undefined && { ca }),
  })
}

function wrongKey(socket: TLSSocket, pin: string, where: string): MusterError | undefined {
  const key = socket.getPeerX509Certificate()?.publicKey.export({ type: 'spki', format: 'der' })
  const actual = key && keyPin(key)
  if (actual === pin) return undefined
  return failure('link.certificate', { where, problem: `its key is ${actual ?? 'missing'}, and ${pin} was expected` })
}

/** `sha256//` and the SHA-256 of a public key (DER, SubjectPublicKeyInfo) in Base64: what curl's `--pinnedpubkey` takes. */
export function keyPin(spki: Buffer): string {
  const { createHash } = process.getBuiltinModule('node:crypto')
  return `sha256//${createHash('sha256').update(spki).digest('base64')}`
}
