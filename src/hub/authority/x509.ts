// Makes certificates and reads signing requests: all that knows how they are encoded. It keeps nothing, and knows no host and no file.

// Before the other: its parts find each other by what this one adds.
import 'reflect-metadata'
import { createPrivateKey, randomBytes, webcrypto, X509Certificate } from 'node:crypto'
import { isIP } from 'node:net'
import * as x509 from '@peculiar/x509'
import { failure } from '../../contract/errors.ts'
import { keyPin } from '../../wire/key-pin.ts'

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const

export interface Span {
  readonly from: Date
  readonly to: Date
}

/** PEM. */
export interface KeyAndCertificate {
  readonly key: string
  readonly certificate: string
}

/** A new root: it signs itself, and may sign leaves and the root that comes after it. */
export async function makeRoot(name: string, span: Span): Promise<KeyAndCertificate> {
  const keys = await makeKeys()
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    ...common(span),
    name: [{ CN: [name] }],
    keys,
    extensions: [...ofRoot(), await x509.SubjectKeyIdentifierExtension.create(keys.publicKey)],
  })
  return { key: await exportKey(keys.privateKey), certificate: pemOf(certificate) }
}

/** The same root once more, this time signed by the one before it: who trusts only that one then trusts this one. */
export async function vouchFor(next: string, by: KeyAndCertificate, span: Span): Promise<string> {
  const root = new x509.X509Certificate(next)
  return pemOf(
    await signed(by, {
      ...common(span),
      subject: root.subjectName,
      publicKey: root.publicKey,
      extensions: [...ofRoot(), await x509.SubjectKeyIdentifierExtension.create(root.publicKey)],
    }),
  )
}

/** For a server that is reached by these names and addresses; with a key of its own. */
export async function issueServer(names: readonly string[], by: KeyAndCertificate, span: Span): Promise<KeyAndCertificate> {
  const keys = await makeKeys()
  const certificate = await signed(by, {
    ...common(span),
    subject: [{ CN: [names[0] ?? 'muster'] }],
    publicKey: keys.publicKey,
    extensions: [
      ...ofLeaf(x509.ExtendedKeyUsage.serverAuth),
      new x509.SubjectAlternativeNameExtension(names.map((value) => ({ type: isIP(value) ? 'ip' : 'dns', value }))),
    ],
  })
  return { key: await exportKey(keys.privateKey), certificate: pemOf(certificate) }
}

/**
 * For a host, for the key of its signing request and for nothing else that the request says: the name is the caller's knowledge.
 * Throws `certificate.request` for one that is malformed, is not signed by its key, or whose key is of another kind.
 */
export async function issueClient(host: string, request: string, by: KeyAndCertificate, span: Span): Promise<string> {
  const publicKey = await provenKey(request)
  const certificate = await signed(by, {
    ...common(span),
    subject: [{ CN: [host] }],
    publicKey,
    extensions: [
      ...ofLeaf(x509.ExtendedKeyUsage.clientAuth),
      new x509.SubjectAlternativeNameExtension([{ type: 'url', value: hostUri(host) }]),
    ],
  })
  return pemOf(certificate)
}

/** How a certificate names its host, beside the common name. */
export function hostUri(host: string): string {
  return `urn:muster:host:${host}`
}

/** What `--pin` takes for the key of this certificate. */
export function pinOf(certificate: string): string {
  return keyPin(new X509Certificate(certificate).publicKey.export({ type: 'spki', format: 'der' }))
}

async function provenKey(request: string): Promise<x509.PublicKey> {
  const { publicKey, isProven } = await readRequest(request)
  if (!isProven) throw failure('certificate.request', { problem: 'its signature is not that of its key' })
  const { name, namedCurve } = publicKey.algorithm as { name: string; namedCurve?: string }
  if (name === algorithm.name && namedCurve === algorithm.namedCurve) return publicKey
  throw failure('certificate.request', { problem: `its key is ${namedCurve ?? name}, and not ${algorithm.namedCurve}` })
}

async function readRequest(request: string): Promise<{ publicKey: x509.PublicKey; isProven: boolean }> {
  try {
    const parsed = new x509.Pkcs10CertificateRequest(request)
    return { publicKey: parsed.publicKey, isProven: await parsed.verify() }
  } catch (cause) {
    throw failure('certificate.request', { problem: 'it is none, or its key is of a kind that is not known here' }, { cause })
  }
}

async function signed(
  by: KeyAndCertificate,
  of: Omit<x509.X509CertificateCreateParams, 'issuer' | 'signingKey'>,
): Promise<x509.X509Certificate> {
  const issuer = new x509.X509Certificate(by.certificate)
  const authority = await x509.AuthorityKeyIdentifierExtension.create(await issuer.publicKey.export())
  return x509.X509CertificateGenerator.create({
    ...of,
    issuer: issuer.subjectName,
    signingKey: await importKey(by.key),
    extensions: [...(of.extensions ?? []), authority],
  })
}

function common({ from, to }: Span) {
  return { serialNumber: newSerial(), notBefore: from, notAfter: to, signingAlgorithm: algorithm }
}

/** 126 random bits, positive, without a leading zero. */
function newSerial(): string {
  const bytes = randomBytes(16)
  bytes[0] = ((bytes[0] as number) & 0x3f) | 0x40
  return bytes.toString('hex')
}

function ofRoot(): x509.Extension[] {
  const { keyCertSign, cRLSign } = x509.KeyUsageFlags
  return [new x509.BasicConstraintsExtension(true, undefined, true), new x509.KeyUsagesExtension(keyCertSign | cRLSign, true)]
}

function ofLeaf(usage: x509.ExtendedKeyUsage): x509.Extension[] {
  return [
    new x509.BasicConstraintsExtension(false, undefined, true),
    new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
    new x509.ExtendedKeyUsageExtension([usage]),
  ]
}

function makeKeys(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
}

async function exportKey(key: webcrypto.CryptoKey): Promise<string> {
  const der = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', key))
  return createPrivateKey({ key: der, type: 'pkcs8', format: 'der' }).export({ type: 'pkcs8', format: 'pem' }) as string
}

function importKey(pem: string): Promise<webcrypto.CryptoKey> {
  const der = createPrivateKey(pem).export({ type: 'pkcs8', format: 'der' })
  return webcrypto.subtle.importKey('pkcs8', der, algorithm, false, ['sign'])
}

function pemOf(certificate: x509.X509Certificate): string {
  return `${certificate.toString('pem').trim()}\n`
}
