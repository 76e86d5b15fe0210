// The hub's own certificate authority: signs for the hub's listener and for hosts, and can be given a new root.
// Which host a certificate is for, and whether it still counts, is decided elsewhere (client-certificates.ts).

import { X509Certificate } from 'node:crypto'
import { openRoots, type Root, type Roots, rotateRoots } from './roots.ts'
import { issueClient, issueServer, type KeyAndCertificate, type Span } from './x509.ts'

/** How long what it signs is valid, and from which part of that on it is renewed. */
const validMs = 7 * 24 * 3600 * 1000
export const renewedAfterMs = (validMs * 2) / 3
/** Clocks of others may be behind. */
const backdatedMs = 3600 * 1000

export interface Authority {
  readonly roots: Roots
  /** The certificates that the listener presents below its own: whoever trusts any root of ours finds it there. */
  readonly chain: string
  /** The root that has signed this, if one has. */
  signerOf(certificate: X509Certificate): Root | undefined
  issueServer(names: readonly string[]): Promise<KeyAndCertificate>
  /** For the key of a signing request. Throws `certificate.request`. */
  issueClient(host: string, request: string): Promise<ClientCertificate>
  /** Durable when it resolves; from then on the new root signs. */
  rotate(): Promise<void>
}

export interface ClientCertificate {
  readonly certificate: string
  readonly fingerprint: string
  /** Fingerprint of the root. */
  readonly authority: string
  readonly issuedAt: Date
  readonly expiresAt: Date
}

/** `dir` is hub/authority, `hub` the fingerprint of its key; `now` in milliseconds. */
export async function openAuthority(dir: string, hub: string, now: () => number): Promise<Authority> {
  let roots = await openRoots(dir, hub, new Date(now()))

  function span(): Span {
    return { from: new Date(now() - backdatedMs), to: new Date(now() + validMs) }
  }

  return {
    get roots() {
      return roots
    },
    get chain() {
      return chainOf(roots, now())
    },
    signerOf: (certificate) => [roots.current, ...roots.former].find((root) => hasSigned(root, certificate)),
    issueServer: (names) => issueServer(names, roots.current, span()),
    async issueClient(host, request) {
      const { current } = roots
      const valid = span()
      const certificate = await issueClient(host, request, current, valid)
      const { fingerprint256 } = new X509Certificate(certificate)
      return {
        certificate,
        fingerprint: fingerprint256,
        authority: current.fingerprint,
        issuedAt: new Date(now()),
        expiresAt: valid.to,
      }
    },
    async rotate() {
      roots = await rotateRoots(dir, hub, roots, new Date(now()))
    },
  }
}

function hasSigned({ certificate }: Root, leaf: X509Certificate): boolean {
  const root = new X509Certificate(certificate)
  return leaf.checkIssued(root) && leaf.verify(root.publicKey)
}

/** Each root as the one before it vouches for it, down to the oldest that is valid, which signs itself. */
function chainOf({ current, former }: Roots, now: number): string {
  const valid = [current, ...former.filter(({ notAfter }) => notAfter.getTime() > now)]
  return valid.map((root, index) => (index === valid.length - 1 ? root.certificate : (root.vouched ?? root.certificate))).join('')
}
