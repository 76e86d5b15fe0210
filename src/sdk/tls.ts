// TLS to a hub: whom to trust. Nothing is sent before that is settled.

import type { X509Certificate } from 'node:crypto'
import type { Agent, RequestOptions } from 'node:https'
import type { TLSSocket } from 'node:tls'
import { failure, type MusterError } from '../contract/errors.ts'
import { keyPin } from '../wire/key-pin.ts'
import { connectTimeoutMs, timedOut } from './broken.ts'

/** Nobody presents more, and a circle would have no end. */
const deepest = 8

export interface Trust {
  /** PEM of the authorities that count, instead of the system's. */
  readonly ca?: string | undefined
  /**
   * The hub's public key as it must be (`keyPin`), or that of an authority above it. The hub's own key counts without `ca` alone, whoever
   * signed the certificate, and until when; under an authority's the certificate must be valid and for the name that is dialled.
   */
  readonly pin?: string | undefined
}

/** The certificate that this side shows where it is asked for one: PEM. */
export interface Shown {
  readonly key: string
  readonly cert: string
}

type To = Pick<RequestOptions, 'host' | 'port' | 'servername'>

/** An agent that asks whom to trust, and what to show, at each new connection, so that a file that is changed counts. */
export function tlsAgent(where: string, trustNow: () => Trust, shownNow: () => Shown | undefined = () => undefined): Agent {
  const { Agent: TlsAgent } = process.getBuiltinModule('node:https')
  const agent = new TlsAgent({ keepAlive: true })
  const connecting = new Set<TLSSocket>()

  async function connect(to: To): Promise<TLSSocket> {
    const trust = trustNow()
    const socket = await open(to, trust)
    if (trust.pin === undefined) return socket
    // Asked for once: on this side each question takes the first one off the chain.
    const certificate = socket.getPeerX509Certificate()
    if (isPinned(certificate, trust.pin)) return socket
    // Nothing has been sent yet. Whether what it presents leads to the pinned authority is judged as for any authority.
    socket.destroy()
    const authority = pinnedAuthority(certificate, trust.pin)
    if (authority === undefined) throw wrongKey(certificate, trust.pin, where)
    return await open(to, { ca: authority, isPinned: true })
  }

  async function open(to: To, trust: Trust & { isPinned?: boolean }): Promise<TLSSocket> {
    const socket = dial(to, trust, shownNow())
    connecting.add(socket)
    const tooLong = setTimeout(() => socket.destroy(timedOut()), connectTimeoutMs)
    // Kept on, for whoever gets the socket hears of its errors only from then on.
    socket.on('error', () => undefined)
    try {
      await new Promise<void>((resolve, reject) => socket.once('secureConnect', resolve).once('error', reject))
      return socket
    } finally {
      clearTimeout(tooLong)
      connecting.delete(socket)
    }
  }

  agent.createConnection = (options, connected) => {
    connect(options).then(
      (socket) => connected?.(null, socket),
      (error: Error) => connected?.(error, undefined as never),
    )
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

function dial(
  { host, port, servername }: To,
  { ca, pin, isPinned = false }: Trust & { isPinned?: boolean },
  shown: Shown | undefined,
): TLSSocket {
  const { connect } = process.getBuiltinModule('node:tls')
  return connect({
    host: host ?? 'localhost',
    port: Number(port) || 443,
    ...(servername !== undefined && { servername }),
    ALPNProtocols: ['http/1.1'],
    rejectUnauthorized: pin === undefined || ca !== undefined,
    // One that is pinned need not sign itself: a former root may stand above it.
    ...(ca !== undefined && { ca, allowPartialTrustChain: isPinned }),
    ...shown,
  })
}

/** The certificate with the pinned key among those that are presented below the hub's own: PEM. */
function pinnedAuthority(certificate: X509Certificate | undefined, pin: string): string | undefined {
  let above = certificate?.issuerCertificate
  for (let depth = 0; above !== undefined && depth < deepest; depth++) {
    if (above.ca && isPinned(above, pin)) return above.toString()
    above = above.issuerCertificate
  }
  return undefined
}

function isPinned(certificate: X509Certificate | undefined, pin: string): boolean {
  return certificate !== undefined && pinOf(certificate) === pin
}

function pinOf(certificate: X509Certificate): string {
  return keyPin(certificate.publicKey.export({ type: 'spki', format: 'der' }))
}

function wrongKey(certificate: X509Certificate | undefined, pin: string, where: string): MusterError {
  const actual = certificate ? pinOf(certificate) : 'missing'
  return failure('link.certificate', { where, problem: `its key is ${actual}, and ${pin} was expected` })
}
