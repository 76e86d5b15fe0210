// TLS at the hub, assembled: what the listener presents, whose client certificates count, and one look at all of it now and then.

import { X509Certificate } from 'node:crypto'
import { isIP } from 'node:net'
import { join } from 'node:path'
import type { Logger } from 'pino'
import type { AuthorityInfo } from '../../contract/certificate.ts'
import { asMusterError } from '../../contract/errors.ts'
import type { Store } from '../../store/store.ts'
import { plainAddress } from '../../wire/loopback.ts'
import type { Fleet } from '../fleet.ts'
import { openAuthority } from './authority.ts'
import { type ClientCertificates, clientCertificates } from './client-certificates.ts'
import { presentFiles, presentOwn } from './presented.ts'
import type { Root } from './roots.ts'

/** A certificate of the hub's own authority for these names and addresses, or one from files. */
export type TlsChoice = { readonly names: readonly string[] } | { readonly certFile: string; readonly keyFile: string }

export interface HubTls extends AsyncDisposable {
  readonly listener: {
    /** PEM: what to present, and the authorities whose client certificates are asked for. */
    now(): { readonly key: string; readonly cert: string; readonly ca: string }
    /** Told when that has changed. */
    onChange(changed: () => void): void
    /** What it can be trusted by; null where the systems of others trust it. */
    readonly pin: string | null
  }
  readonly clients: ClientCertificates
  /** What it can be trusted by at this address: null, too, where the certificate is not for it, since then something stands before the hub. */
  pinAt(url: string): string | null
  showAuthority(): Promise<AuthorityInfo>
  rotateAuthority(): Promise<AuthorityInfo>
}

const lookEveryMs = 2_000

export interface TlsOf {
  readonly choice: TlsChoice
  /** hub/, in whose `authority/` the roots are kept. */
  readonly dir: string
  /** Fingerprint of the hub's key. */
  readonly hub: string
  readonly store: Store
  readonly fleet: Fleet
  readonly now: () => number
  readonly log: Logger
}

/** Throws `home.unusable`, `file.unreadable`. */
export async function openTls({ choice, dir, hub, store, fleet, now, log }: TlsOf): Promise<HubTls> {
  const authority = await openAuthority(join(dir, 'authority'), hub, now)
  const presenter = await ('names' in choice
    ? presentOwn(authority, choice.names, now)
    : presentFiles(choice.certFile, choice.keyFile))
  const clients = clientCertificates({ authority, store, fleet, now, log })
  const listeners: (() => void)[] = []
  let looking: Promise<void> | undefined

  function tell(): void {
    for (const changed of listeners) changed()
  }

  async function lookAtAll(): Promise<void> {
    try {
      if (await presenter.look()) {
        log.info('the hub presents another certificate')
        tell()
      }
    } catch (error) {
      log.warn({ error: asMusterError(error).toValue() }, 'the hub goes on with the certificate that it has')
    }
    await clients.renewDue().catch((error) => log.warn({ error: asMusterError(error).toValue() }, 'no certificate was renewed'))
  }

  const timer = setInterval(() => {
    looking ??= lookAtAll().finally(() => {
      looking = undefined
    })
  }, lookEveryMs)

  async function showAuthority(): Promise<AuthorityInfo> {
    const [current, ...former] = await clients.countingRoots()
    return {
      ...described(current as Root),
      former: former.map((root) => ({ ...described(root), certificates: root.certificates })),
    }
  }

  return {
    listener: {
      now: () => ({
        key: presenter.now.key,
        cert: presenter.now.cert,
        ca: [authority.roots.current, ...authority.roots.former].map(({ certificate }) => certificate).join(''),
      }),
      onChange: (changed) => void listeners.push(changed),
      get pin() {
        return presenter.now.pin
      },
    },
    clients,
    pinAt(url) {
      const { protocol, hostname } = new URL(url)
      const name = plainAddress(hostname)
      const leaf = new X509Certificate(presenter.now.cert)
      const isFor = isIP(name) ? leaf.checkIP(name) : leaf.checkHost(name)
      return protocol === 'wss:' && isFor !== undefined ? presenter.now.pin : null
    },
    showAuthority,
    async rotateAuthority() {
      await authority.rotate()
      log.info({ fingerprint: authority.roots.current.fingerprint }, 'the hub has a new root')
      await lookAtAll()
      // The authorities that are asked for have changed even where the certificate is another's.
      tell()
      void clients.renewAll().catch((error) => log.warn({ error: asMusterError(error).toValue() }, 'no certificate was renewed'))
      return showAuthority()
    },
    async [Symbol.asyncDispose]() {
      clearInterval(timer)
      await looking
      // What is under way ends with its links, which are closed by now.
      await clients.renewDue()
    },
  }
}

function described({ certificate, pin, fingerprint, notAfter }: Root) {
  return { certificate, pin, fingerprint, notAfter: notAfter.toISOString() }
}
