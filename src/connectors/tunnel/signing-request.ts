// A fresh key for a certificate, and the signing request that proves it. Loaded only when a hub asks: what encodes it is large.

import 'reflect-metadata'
import { createPrivateKey, webcrypto } from 'node:crypto'
import { Pkcs10CertificateRequestGenerator } from '@peculiar/x509'

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const

/** Both PEM. The request names nobody: the hub knows who asks from the connection. */
export async function makeSigningRequest(): Promise<{ key: string; request: string }> {
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
  const request = await Pkcs10CertificateRequestGenerator.create({ name: '', keys, signingAlgorithm: algorithm })
  const der = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey))
  const key = createPrivateKey({ key: der, type: 'pkcs8', format: 'der' }).export({ type: 'pkcs8', format: 'pem' })
  return { key: key as string, request: request.toString('pem') }
}
