// The machine's side of being let in: asks its hub, shows a code, and keeps who the hub is once a person there has approved it.
// It asks anew, with another code, when the connection breaks; but not for ever, since each try is one for who stands between.

import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { asMusterError, type ErrorCode, failure, type MusterError } from '../../contract/errors.ts'
import { pause } from '../../contract/pause.ts'
import { pairingSubprotocol } from '../../wire/channels/websocket.ts'
import { fingerprintOf, type Identity, loadIdentity } from '../../wire/identity.ts'
import { dialPairing } from '../../wire/pairing.ts'
import type { TrustConfig } from '../trust.ts'
import { removeNodeCertificate } from './certificate.ts'
import { type JoinedHub, saveJoinedHub } from './credential.ts'
import { dialTimeoutMs, openChannel, refusePlaintext } from './link.ts'

export interface TunnelPairing {
  /** ws:// or wss://, without a path. */
  readonly hubUrl: string
  /** Whom to trust over wss://; without it whom the system trusts. */
  readonly trust?: TrustConfig | undefined
  /** $MUSTER_HOME; the node's key and what it knows of its hubs are kept in `node/` there. */
  readonly home: string
  readonly name: string
  /** What the hub shall be allowed here. */
  readonly asks: readonly string[]
  readonly version: string
  /** Permits ws:// beyond this machine. */
  readonly insecure?: boolean
  readonly signal: AbortSignal
  readonly onCode: (shown: { code: string; expiresInMs: number }) => void
  /** The connection broke, and it asks anew. */
  readonly onBroken: (reason: MusterError) => void
}

const Welcome = z.object({ host: z.object({ id: z.string(), name: z.string() }), trust: z.array(z.string()) })

const mostCodes = 10
/** A hub that is started anew is back by then. */
const hubAwayMs = 5 * 60_000
const firstWaitMs = 500
const longestWaitMs = 10_000

/** Resolves once this machine is let in, with what it then keeps of its hub and what was approved. Rejects when it is not. */
export async function pairTunnel(pairing: TunnelPairing): Promise<{ hub: JoinedHub; trust: string[] }> {
  refusePlaintext(pairing)
  const dir = join(pairing.home, 'node')
  await mkdir(dir, { recursive: true, mode: 0o700 })
  const identity = await loadIdentity(join(dir, 'key'))
  let codes = 0
  let failures = 0
  let lastShownAt = performance.now()
  const onCode: TunnelPairing['onCode'] = (shown) => {
    codes++
    failures = 0
    lastShownAt = performance.now()
    pairing.onCode(shown)
  }
  for (;;) {
    try {
      return await askOnce({ ...pairing, onCode }, dir, identity)
    } catch (thrown) {
      const error = asMusterError(thrown)
      if (pairing.signal.aborted) throw failure('call.cancelled')
      const isBroken = codes > 0 && broken.has(error.code) && performance.now() - lastShownAt < hubAwayMs
      if (codes >= mostCodes || !(isBroken || error.code === 'wire.overloaded')) throw error
      if (failures === 0) pairing.onBroken(error)
      await pause(Math.random() * Math.min(longestWaitMs, firstWaitMs * 2 ** failures++), pairing.signal)
    }
  }
}

/** What a hub that is started anew looks like. */
const broken = new Set<string>(['wire.closed', 'hub.not_running', 'call.deadline'] satisfies ErrorCode[])

async function askOnce(
  { hubUrl, trust = {}, name, asks, version, signal, onCode }: TunnelPairing,
  dir: string,
  identity: Identity,
): Promise<{ hub: JoinedHub; trust: string[] }> {
  const channel = await openChannel(hubUrl, { trust }, signal, pairingSubprotocol)
  const giveUp = () => channel.close(failure('wire.closed', { reason: 'the machine asks no more' }))
  signal.addEventListener('abort', giveUp, { once: true })
  try {
    const { hubKey, welcome } = await dialPairing(channel, {
      identity,
      software: version,
      timeoutMs: dialTimeoutMs,
      wishes: { name, platform: process.platform, arch: process.arch, asks: [...asks] },
      onCode,
    })
    const { host, trust: approved } = Welcome.parse(welcome)
    const hub: JoinedHub = { hubUrl, hubKey: fingerprintOf(hubKey), host: host.id, name: host.name, trust, allow: [...asks] }
    // The hub has taken back what it gave this machine before.
    await removeNodeCertificate(dir, hub.hubKey)
    await saveJoinedHub(dir, hub)
    return { hub, trust: approved }
  } finally {
    signal.removeEventListener('abort', giveUp)
    giveUp()
  }
}
