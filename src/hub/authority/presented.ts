// The certificate that the hub's listener presents: one of the hub's own authority, or that of two files. Each is looked at now and
// then, and takes the place of the former one when it has changed or is due.

import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { networkInterfaces } from 'node:os'
import { rootCertificates } from 'node:tls'
import { asMusterError, failure } from '../../contract/errors.ts'
import { describeFileProblem } from '../../contract/file-problem.ts'
import { plainAddress } from '../../wire/loopback.ts'
import { type Authority, renewedAfterMs } from './authority.ts'
import { pinOf } from './x509.ts'

/** PEM; the certificate with those below it. */
export interface Presented {
  readonly key: string
  readonly cert: string
  /** What it can be trusted by, where the systems of others do not trust it. */
  readonly pin: string | null
}

export interface Presenter {
  readonly now: Presented
  /** Whether there is another now. Rejects where there should be, and cannot; then the former one stays. */
  look(): Promise<boolean>
}

/** `names`: as they are given on the command line, so with ports and brackets. */
export async function presentOwn(authority: Authority, names: readonly string[], now: () => number): Promise<Presenter> {
  const issue = async () => {
    const covered = coveredNames(names)
    const { key, certificate } = await authority.issueServer(covered)
    const { pin, fingerprint } = authority.roots.current
    return {
      key,
      cert: certificate + authority.chain,
      pin,
      covered: covered.join(),
      root: fingerprint,
      dueAt: now() + renewedAfterMs,
    }
  }
  let presented = await issue()
  return {
    get now() {
      return presented
    },
    async look() {
      const { covered, root, dueAt } = presented
      // Addresses come and go where it listens on all of them.
      if (now() < dueAt && covered === coveredNames(names).join() && root === authority.roots.current.fingerprint) return false
      presented = await issue()
      return true
    },
  }
}

/** Throws `file.unreadable` for files that are not a certificate and its key. */
export async function presentFiles(certFile: string, keyFile: string): Promise<Presenter> {
  let presented = await readPair(certFile, keyFile)
  let refused: string | undefined
  return {
    get now() {
      return presented
    },
    async look() {
      try {
        const read = await readPair(certFile, keyFile)
        refused = undefined
        const changed = read.cert !== presented.cert || read.key !== presented.key
        presented = read
        return changed
      } catch (error) {
        const { message } = asMusterError(error)
        // Said once: it may stay as it is for long.
        if (message === refused) return false
        refused = message
        throw error
      }
    },
  }
}

async function readPair(certFile: string, keyFile: string): Promise<Presented> {
  const [cert, key] = await Promise.all([readText(certFile), readText(keyFile)])
  const chain = cert.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []
  const [leaf] = chain.map((one) => parsed(certFile, 'it holds no certificate as PEM', () => new X509Certificate(one)))
  if (!leaf) throw failure('file.unreadable', { file: certFile, problem: 'it holds no certificate as PEM' })
  const privateKey = parsed(keyFile, 'it holds no private key as PEM without a passphrase', () => createPrivateKey(key))
  if (!leaf.checkPrivateKey(privateKey))
    throw failure('file.unreadable', { file: keyFile, problem: `it is not the key of the certificate in ${certFile}` })
  return { cert, key, pin: pinFor(chain) }
}

function parsed<T>(file: string, problem: string, parse: () => T): T {
  try {
    return parse()
  } catch (cause) {
    throw failure('file.unreadable', { file, problem }, { cause })
  }
}

/** The key of the highest that is presented: it changes least. None where it leads to an authority that everybody knows. */
function pinFor(chain: readonly string[]): string | null {
  const highest = chain.at(-1) as string
  const top = new X509Certificate(highest)
  return rootCertificates.some((one) => top.checkIssued(new X509Certificate(one))) ? null : pinOf(highest)
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    throw failure('file.unreadable', { file, problem: describeFileProblem(error) }, { cause: error })
  }
}

/** Loopback is always among them: whoever reaches it there is on this machine. */
function coveredNames(given: readonly string[]): string[] {
  const names = given.map((name) => plainAddress(name.replace(/^(\[[^\]]*\]|[^:]+):\d{1,5}$/, '$1')))
  const all = names.filter((name) => name !== '0.0.0.0' && name !== '::')
  if (all.length < names.length) all.push(...ownAddresses())
  return [...new Set([...all, 'localhost', '127.0.0.1', '::1'])]
}

function ownAddresses(): string[] {
  return Object.values(networkInterfaces())
    .flat()
    .flatMap((one) => (one === undefined || one.internal || one.address.startsWith('fe80:') ? [] : [one.address]))
}
