// What a node keeps of the TLS of a hub that it has joined: the certificate that the hub gave it, with its key, and the hub's roots where
// the node trusts it by one of them. One file a hub, $MUSTER_HOME/node/certificates/<key of the hub>.json, this account's alone.

import { createPrivateKey, X509Certificate } from 'node:crypto'
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { installCertificate, requestCertificate } from '../../contract/certificate.ts'
import { failure } from '../../contract/errors.ts'
import { type Implementation, implement, implementation } from '../../contract/implementation.ts'
import type { Shown, Trust } from '../../sdk/tls.ts'
import { keyPin } from '../../wire/key-pin.ts'

const Kept = z.object({
  shown: z.object({ key: z.string(), cert: z.string() }).nullable(),
  /** The roots that count for a hub whose authority was pinned by one of them. */
  roots: z.object({ pin: z.string(), certificates: z.array(z.string()).min(1) }).nullable(),
})
type Kept = z.output<typeof Kept>

export interface NodeCertificate {
  /** What to show the hub; undefined while it has given nothing. */
  readonly shown: Shown | undefined
  /** Whom to trust, where it was said so: the roots that the hub has told since take the place of the pin of one of them. */
  trustBy(trust: Trust): Trust
  /** What the hub may ask of this link. `binding`: what this end of its TLS connection exports; `pin`: what the hub was trusted by. */
  offers(binding: string | undefined, pin: string | undefined): Implementation
  /** The certificate counts no more. */
  forget(): Promise<void>
}

const nothing: Kept = { shown: null, roots: null }

/** `dir` is $MUSTER_HOME/node. A file that is damaged is as none: the hub then says what to do. */
export async function openNodeCertificate(dir: string, hubKey: string): Promise<NodeCertificate> {
  const file = fileOf(dir, hubKey)
  let kept = await readKept(file)

  async function keep(next: Kept): Promise<void> {
    await mkdir(join(dir, 'certificates'), { recursive: true, mode: 0o700 })
    const fresh = `${file}.${process.pid}.new`
    await writeFile(fresh, `${JSON.stringify(next, null, 2)}\n`, { mode: 0o600, flush: true })
    await rename(fresh, file)
    kept = next
  }

  function offers(binding: string | undefined, pin: string | undefined): Implementation {
    let fresh: string | undefined
    return implementation(
      implement(requestCertificate, async () => {
        const { makeSigningRequest } = await import('./signing-request.ts')
        const { key, request } = await makeSigningRequest()
        fresh = key
        return { request, binding: binding ?? null }
      }),
      implement(installCertificate, async ({ certificate, authorities }) => {
        if (fresh === undefined || !isFor(certificate, fresh))
          throw failure('input.invalid', { what: 'certificate', problem: 'it is not for the key that was made here last' })
        // Only a connection that ends at a holder of one of these roots is told of others.
        const roots = pin !== undefined && isAmong(authorities, kept.roots, pin) ? { pin, certificates: authorities } : kept.roots
        await keep({ shown: { key: fresh, cert: certificate }, roots })
        fresh = undefined
        return {}
      }),
    )
  }

  return {
    get shown() {
      return kept.shown ?? undefined
    },
    trustBy(trust) {
      const { roots } = kept
      return roots && trust.ca === undefined && trust.pin === roots.pin ? { ca: roots.certificates.join('') } : trust
    },
    offers,
    forget: () => keep({ ...kept, shown: null }),
  }
}

/** Forgets all that is kept of a hub's TLS: it was left, or has let this machine in anew. */
export async function removeNodeCertificate(dir: string, hubKey: string): Promise<void> {
  await rm(fileOf(dir, hubKey), { force: true })
}

function fileOf(dir: string, hubKey: string): string {
  return join(dir, 'certificates', `${hubKey}.json`)
}

/** Whether they hold the pinned root, or one that took its place: then it is such a root that this connection was trusted by. */
function isAmong(authorities: readonly string[], known: Kept['roots'], pin: string): boolean {
  const trusted = new Set(known?.pin === pin ? known.certificates.map(pinOf) : [pin])
  return authorities.some((one) => trusted.has(pinOf(one)))
}

function pinOf(certificate: string): string {
  return keyPin(new X509Certificate(certificate).publicKey.export({ type: 'spki', format: 'der' }))
}

function isFor(certificate: string, key: string): boolean {
  try {
    return new X509Certificate(certificate).checkPrivateKey(createPrivateKey(key))
  } catch {
    // Not a certificate.
    return false
  }
}

async function readKept(file: string): Promise<Kept> {
  try {
    return Kept.safeParse(JSON.parse(await readFile(file, 'utf8'))).data ?? nothing
  } catch (error) {
    if (error instanceof SyntaxError || (error as NodeJS.ErrnoException).code === 'ENOENT') return nothing
    throw error
  }
}
