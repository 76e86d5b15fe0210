// Writes so many bytes to each stream, as fast as they are taken: `pour.ts SEED BYTES`. What it writes is its seed's alone
// (`pouredBy`), looks random and is no text, so that any byte which is lost, doubled or misread shows in a digest.

import { createCipheriv, createHash } from 'node:crypto'
import { writeSync } from 'node:fs'
import type { OutputStream } from '../../src/contract/output.ts'

const partBytes = 256 * 1024
const nothing = Buffer.alloc(partBytes)

/** What a stream gets, in parts: the key stream of AES, which costs less than copying it. */
export function* pouredBy(seed: number, stream: OutputStream, bytes: number): Generator<Buffer> {
  const key = createHash('sha256').update(`${seed} ${stream}`).digest().subarray(0, 16)
  const cipher = createCipheriv('aes-128-ctr', key, Buffer.alloc(16))
  for (let at = 0; at < bytes; at += partBytes) yield cipher.update(nothing.subarray(0, Math.min(partBytes, bytes - at)))
}

if (import.meta.main) {
  const [seed, bytes] = process.argv.slice(2).map(Number) as [number, number]
  const stderr = pouredBy(seed, 'stderr', bytes)
  for (const part of pouredBy(seed, 'stdout', bytes)) {
    writeWhole(1, part)
    writeWhole(2, stderr.next().value as Buffer)
  }
}

function writeWhole(file: number, part: Buffer): void {
  for (let written = 0; written < part.length; ) written += writeSync(file, part, written)
}
