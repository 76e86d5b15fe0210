// Client certificates of hosts that dial in, where TLS ends at this hub: which of those that are shown count, and who gets one when.
// The hub asks the node's link for a signing request and gives it the certificate, over the link that has proven the node's key.

import type { X509Certificate } from 'node:crypto'
import type { Logger } from 'pino'
import type { HostCertificates } from '../../connectors/dial-in.ts'
import type { Caller } from '../../contract/caller.ts'
import { installCertificate, requestCertificate } from '../../contract/certificate.ts'
import { asMusterError, failure, hasCode } from '../../contract/errors.ts'
import { addCertificate, certificatesOf, confirmCertificate, hostsCertifiedBy } from '../../store/certificates.ts'
import type { Store } from '../../store/store.ts'
import type { Fleet } from '../fleet.ts'
import { type Authority, renewedAfterMs } from './authority.ts'
import type { Root } from './roots.ts'
import { hostUri } from './x509.ts'

export interface ClientCertificates extends HostCertificates {
  /** Renews what is due over the links that are up. */
  renewDue(): Promise<void>
  /** As if all were due, since another root signs now. */
  renewAll(): Promise<void>
  /** The roots that count: the one that signs, and those of which a host has a valid certificate. */
  countingRoots(): Promise<(Root & { readonly certificates: number })[]>
}

const askTimeoutMs = 10_000
const retryMs = 10 * 60_000
/** A hub that starts has all its hosts dial in at once. */
const atOnce = 16

export function clientCertificates({
  authority,
  store,
  fleet,
  now,
  log,
}: {
  authority: Authority
  store: Store
  fleet: Fleet
  now: () => number
  log: Logger
}): ClientCertificates {
  /** Hosts whose connection ends here, and when each gets a certificate. */
  const links = new Map<string, { readonly binding: string; dueAt: number }>()
  let renewing: Promise<void> | undefined

  async function admit({ id, name }: { id: string; name: string }, shown: X509Certificate | undefined) {
    const given = await certificatesOf(store, id)
    if (!shown) {
      if (given.some(({ installedAt }) => installedAt !== null)) throw failure('node.certificate_missing', { host: name })
      return { renewalOnly: false }
    }
    const refusal = (problem: string) => failure('node.certificate_refused', { host: name, problem })
    if (!authority.signerOf(shown)) throw refusal('another authority has signed it')
    if (!names(shown, id)) throw refusal('it is that of another host')
    // The very certificate, and not one that says the same: a stolen key of a former root signs nothing that counts.
    const known = given.find(({ fingerprint }) => fingerprint === shown.fingerprint256)
    if (!known) throw refusal('it was revoked, or replaced by a newer one')
    if (now() < Date.parse(shown.validFrom)) throw refusal('it is not valid yet')
    if (known.installedAt === null) await confirmCertificate(store, known.fingerprint, new Date(now()).toISOString())
    return { renewalOnly: now() > Date.parse(shown.validTo) }
  }

  async function joined(host: string, binding: string | undefined): Promise<void> {
    try {
      await follow(host, binding)
      await renewDue()
    } catch (error) {
      log.warn({ host, error: asMusterError(error).toValue() }, 'it is not known whether a host needs a certificate')
    }
  }

  async function follow(host: string, binding: string | undefined): Promise<void> {
    if (binding === undefined) return void links.delete(host)
    const newest = (await certificatesOf(store, host)).find(({ installedAt }) => installedAt !== null)
    const isCurrent = newest?.authority === authority.roots.current.fingerprint
    links.set(host, { binding, dueAt: isCurrent ? Date.parse(newest.issuedAt) + renewedAfterMs : now() })
  }

  async function renewDue(): Promise<void> {
    renewing ??= renewEachDue().finally(() => {
      renewing = undefined
    })
    await renewing
  }

  async function renewEachDue(): Promise<void> {
    for (let due = firstDue(); due.length > 0; due = firstDue()) await Promise.all(due.map((host) => renewOne(host)))
  }

  function firstDue(): string[] {
    return [...links].flatMap(([host, { dueAt }]) => (dueAt <= now() ? [host] : [])).slice(0, atOnce)
  }

  async function renewOne(host: string): Promise<void> {
    const link = links.get(host)
    const connector = fleet.byId(host)?.connector
    if (!link || connector?.state.status !== 'online') return void links.delete(host)
    try {
      await renew(host, connector.state.caller, link.binding)
      link.dueAt = now() + renewedAfterMs
    } catch (thrown) {
      const error = asMusterError(thrown)
      log.warn({ host, error: error.toValue() }, 'a host could not be given a certificate')
      // A node that knows no certificates stays without until it dials again.
      link.dueAt = hasCode(error, 'operation.unknown') ? Number.POSITIVE_INFINITY : now() + retryMs
    }
  }

  async function renew(host: string, caller: Caller, binding: string | undefined): Promise<void> {
    const timeout = { timeoutMs: askTimeoutMs }
    const answer = await caller.call(requestCertificate, {}, timeout)
    if (binding === undefined || answer.binding !== binding) {
      log.info({ host }, 'TLS to this host ends before the hub: it gets no certificate')
      return
    }
    const issued = await authority.issueClient(host, answer.request)
    const { fingerprint } = issued
    const row = {
      fingerprint,
      host,
      authority: issued.authority,
      issuedAt: issued.issuedAt.toISOString(),
      expiresAt: issued.expiresAt.toISOString(),
      installedAt: null,
    }
    if (!(await addCertificate(store, row))) throw failure('node.unknown')
    const authorities = (await countingRoots()).map(({ certificate }) => certificate)
    await caller.call(installCertificate, { certificate: issued.certificate, authorities }, timeout)
    await confirmCertificate(store, fingerprint, new Date(now()).toISOString())
    log.info({ host, expiresAt: row.expiresAt }, 'a host was given a certificate')
  }

  async function countingRoots(): Promise<(Root & { certificates: number })[]> {
    const { current, former } = authority.roots
    const at = new Date(now()).toISOString()
    const count = async (root: Root) => ({ ...root, certificates: await hostsCertifiedBy(store, root.fingerprint, at) })
    const [first, ...others] = await Promise.all([count(current), ...former.map(count)])
    return [first as Root & { certificates: number }, ...others.filter(({ certificates }) => certificates > 0)]
  }

  return {
    admit,
    joined,
    renew,
    renewDue,
    async renewAll() {
      for (const link of links.values()) link.dueAt = now()
      await renewDue()
    },
    countingRoots,
  }
}

function names(certificate: X509Certificate, host: string): boolean {
  return certificate.subject === `CN=${host}` && certificate.subjectAltName === `URI:${hostUri(host)}`
}
