// How a public key is named where one is trusted: for people, on the command line and in records.

export const pinShape = /^sha256\/\/[A-Za-z0-9+/]{43}=$/

/** `sha256//` and the SHA-256 of a public key (DER, SubjectPublicKeyInfo) in Base64: what curl's `--pinnedpubkey` takes. */
export function keyPin(spki: Buffer): string {
  const { createHash } = process.getBuiltinModule('node:crypto')
  return `sha256//${createHash('sha256').update(spki).digest('base64')}`
}
