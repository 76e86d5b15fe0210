// The node's side of leaving for good: proves its key to its hub once more, as one that leaves, and is told when the hub has forgotten it.

import { join } from 'node:path'
import { z } from 'zod'
import { failure } from '../../contract/errors.ts'
import { dialHandshake } from '../../wire/handshake.ts'
import { loadIdentity } from '../../wire/identity.ts'
import { leaverRole } from '../dial-in.ts'
import { openNodeCertificate } from './certificate.ts'
import type { JoinedHub } from './credential.ts'
import { dialTimeoutMs, expectHub, openChannel, refusePlaintext } from './link.ts'

const Left = z.object({ left: z.literal(true) })

/** Resolves once the hub knows this machine no more. Rejects with `node.unknown` where it did not know it either. */
export async function leaveTunnel(
  hub: JoinedHub,
  { home, version, insecure }: { home: string; version: string; insecure?: boolean | undefined },
): Promise<void> {
  refusePlaintext({ hubUrl: hub.hubUrl, ...(insecure && { insecure }) })
  const identity = await loadIdentity(join(home, 'node', 'key'))
  const certificate = await openNodeCertificate(join(home, 'node'), hub.hubKey)
  const channel = await openChannel(hub.hubUrl, { trust: hub.trust, certificate }, AbortSignal.timeout(dialTimeoutMs))
  try {
    const { welcome } = await dialHandshake(channel, {
      identity,
      role: leaverRole,
      software: version,
      timeoutMs: dialTimeoutMs,
      expectKey: (key) => expectHub(hub.hubKey, key),
    })
    if (!Left.safeParse(welcome).success) throw failure('operation.unknown', { operation: 'leaving' })
  } finally {
    channel.close(failure('wire.closed', { reason: 'it has left' }))
  }
}
