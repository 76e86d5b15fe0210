// The node's side of a tunnel: dials the hub, proves its key, and answers what the hub asks of this host.
// It dials again for as long as it may; only a refusal that waiting cannot mend ends it.

import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Logger } from 'pino'
import { z } from 'zod'
import { type ErrorCode, failure, hasCode, type MusterError } from '../../contract/errors.ts'
import { tunnelPath } from '../../contract/http.ts'
import type { Implementation, Principal } from '../../contract/implementation.ts'
import { scopes } from '../../contract/operation.ts'
import { transportFailure } from '../../sdk/broken.ts'
import { tlsAgent } from '../../sdk/tls.ts'
import type { Channel } from '../../wire/channel.ts'
import { dialWebSocket } from '../../wire/channels/websocket.ts'
import { dialHandshake } from '../../wire/handshake.ts'
import { fingerprintOf, type Identity, loadIdentity } from '../../wire/identity.ts'
import { isLoopback } from '../../wire/loopback.ts'
import { createPeer, type Peer } from '../../wire/peer.ts'
import { keepConnected } from '../../wire/reconnect.ts'
import { parseEnrolmentToken } from '../enrolment-token.ts'
import { readTrust, type TrustConfig } from '../trust.ts'
import { type NodeCertificate, openNodeCertificate } from './certificate.ts'
import { findJoinedHub, saveJoinedHub } from './credential.ts'

export interface TunnelLink {
  /** ws:// or wss://, without a path. */
  readonly hubUrl: string
  /** The enrolment token; needed the first time only. */
  readonly token?: string
  /** Whom to trust over wss://. Without it whom the last join trusted, and the first time whom the system trusts. */
  readonly trust?: TrustConfig
  /** The host id that the caller believes this to be; checked against the hub's answer. */
  readonly nodeId?: string
  /** $MUSTER_HOME; the node's key and what it knows of its hubs are kept in `node/` there. */
  readonly home: string
  readonly host: { readonly offers: Implementation }
  readonly version: string
  /** Permits ws:// beyond this machine. */
  readonly insecure?: boolean
  readonly log: Logger
  readonly signal: AbortSignal
  readonly onState?: (state: TunnelState) => void
}

export type TunnelState =
  | { readonly online: true; readonly host: string; readonly name: string }
  | { readonly online: false; readonly reason: MusterError }

const Welcome = z.object({ host: z.object({ id: z.string(), name: z.string() }) })
export const dialTimeoutMs = 10_000

/** Keeps this host joined to its hub until `signal` aborts. Rejects when the hub refuses for good, e.g. `node.unknown`. */
export async function linkTunnel(link: TunnelLink): Promise<void> {
  refusePlaintext(link)
  const dir = join(link.home, 'node')
  await mkdir(dir, { recursive: true, mode: 0o700 })
  const identity = await loadIdentity(join(dir, 'key'))
  const known = await knownHub(link, dir)
  const certificate = await openNodeCertificate(dir, known.hubKey)
  let hasJoined = known.hasJoined
  await keepConnected({
    connect: (signal) => dial(link, { ...known, dir, identity, certificate }, signal),
    onConnected: ({ host, name }) => {
      hasJoined = true
      link.log.info({ hub: link.hubUrl, host, name }, 'joined the hub')
      link.onState?.({ online: true, host, name })
    },
    onDisconnected: (reason) => {
      link.log.warn({ hub: link.hubUrl, reason: reason.message }, 'not connected to the hub; dialling again')
      link.onState?.({ online: false, reason })
    },
    // A hub that was trusted once may only have forgotten to renew its certificate.
    isFinal: (error) => isRefusal(error) || (!hasJoined && isDistrust(error)),
    signal: link.signal,
  })
}

/** Throws `link.insecure`. */
export function refusePlaintext({ hubUrl, insecure }: Pick<TunnelLink, 'hubUrl' | 'insecure'>): void {
  const url = new URL(hubUrl)
  if (url.protocol === 'ws:' && !isLoopback(url.hostname) && !insecure) throw failure('link.insecure', { url: hubUrl })
}

interface KnownHub {
  readonly hubKey: string
  readonly token?: string
  readonly trust: TrustConfig
  /** Kept as it was found. */
  readonly allow?: string[] | undefined
  /** At this address, before this process. */
  readonly hasJoined: boolean
}

async function knownHub({ token, trust: given, hubUrl, nodeId }: TunnelLink, dir: string): Promise<KnownHub> {
  const joined = await findJoinedHub(dir, hubUrl)
  const trust = given ?? joined?.trust ?? {}
  if (token !== undefined) {
    const parsed = parseEnrolmentToken(token)
    if (nodeId !== undefined && nodeId !== parsed.host) {
      throw failure('input.invalid', { what: '--node-id', problem: `the token is that of ${parsed.host}` })
    }
    return { hubKey: parsed.hubKey, token, trust, hasJoined: joined !== undefined }
  }
  if (!joined) throw failure('enroll.token_wanted', { hubUrl })
  return { hubKey: joined.hubKey, trust, allow: joined.allow, hasJoined: true }
}

interface Certified {
  readonly trust: TrustConfig
  /** Where the hub has given one, or may. */
  readonly certificate?: NodeCertificate
}

interface JoinedPeer {
  readonly host: string
  readonly name: string
  readonly closed: Promise<MusterError>
  readonly close: Peer['close']
}

async function dial(
  link: TunnelLink,
  known: KnownHub & { dir: string; identity: Identity; certificate: NodeCertificate },
  signal: AbortSignal,
): Promise<JoinedPeer> {
  const { certificate } = known
  const channel = await openChannel(link.hubUrl, known, signal)
  try {
    const { peerKey, limits, welcome } = await dialHandshake(channel, {
      identity: known.identity,
      role: 'node',
      software: link.version,
      timeoutMs: dialTimeoutMs,
      expectKey: (key) => expectHub(known.hubKey, key),
      ...(known.token !== undefined && { credential: known.token }),
    })
    const { host } = Welcome.parse(welcome)
    if (link.nodeId !== undefined && link.nodeId !== host.id) {
      throw failure('input.invalid', { what: '--node-id', problem: `the hub knows this node as ${host.id}` })
    }
    const { hubKey, trust, allow } = known
    await saveJoinedHub(known.dir, {
      hubUrl: link.hubUrl,
      hubKey,
      host: host.id,
      name: host.name,
      trust,
      ...(allow && { allow }),
    })
    const offers = new Map([...link.host.offers, ...certificate.offers(channel.tlsBinding, trust.pin)])
    const peer = createPeer(channel, { offers, principal: hubPrincipal(peerKey), limits, name: 'hub' })
    return { host: host.id, name: host.name, closed: peer.closed, close: (reason) => peer.close(reason) }
  } catch (error) {
    channel.close(failure('wire.closed', { reason: 'the link could not be made' }))
    // What was given under the token before this one: the hub has taken it back, and gives another.
    if (known.token === undefined || certificate.shown === undefined || !hasCode(error, 'node.certificate_refused')) throw error
    await certificate.forget()
    throw failure('wire.closed', { reason: error.message }, { cause: error })
  }
}

/** Over wss:// nothing is sent before the certificate is found good. */
export async function openChannel(hubUrl: string, known: Certified, signal: AbortSignal, subprotocol?: string): Promise<Channel> {
  const url = new URL(tunnelPath, hubUrl)
  const agent = url.protocol === 'wss:' ? await agentFor(hubUrl, known) : undefined
  try {
    return await dialWebSocket(url.href, {
      timeoutMs: dialTimeoutMs,
      signal,
      ...(agent && { agent }),
      ...(subprotocol !== undefined && { subprotocol }),
    })
  } catch (error) {
    // A connection that was still being made would outlive the dialling that gave it up.
    agent?.destroy()
    throw hasCode(error, 'wire.closed') && error.cause !== undefined ? transportFailure(error.cause, hubUrl) : error
  }
}

async function agentFor(hubUrl: string, { trust, certificate }: Certified) {
  const told = await readTrust(trust)
  const trusted = certificate?.trustBy(told) ?? told
  return tlsAgent(
    hubUrl,
    () => trusted,
    () => certificate?.shown,
  )
}

/** Throws `enroll.hub_key`. */
export function expectHub(expected: string, key: string): void {
  const actual = fingerprintOf(key)
  if (actual !== expected) throw failure('enroll.hub_key', { expected, actual })
}

/** A hub may ask for everything here; what it gets is the host's own policy's decision. */
function hubPrincipal(key: string): Principal {
  return { kind: 'hub', id: fingerprintOf(key), role: 'hub', scopes: new Set(scopes) }
}

const refusals = new Set<string>([
  'enroll.token_used',
  'enroll.token_invalid',
  'enroll.hub_key',
  'node.unknown',
  'node.token_replaced',
  'node.certificate_missing',
  'node.certificate_refused',
  'wire.version',
  'wire.proof',
  'input.invalid',
] satisfies ErrorCode[])

function isRefusal({ code }: MusterError): boolean {
  return refusals.has(code)
}

const distrusts = new Set<string>(['link.certificate', 'link.tls', 'file.unreadable'] satisfies ErrorCode[])

function isDistrust({ code }: MusterError): boolean {
  return distrusts.has(code)
}
