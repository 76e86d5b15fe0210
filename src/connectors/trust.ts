// Whom to trust over TLS, as a record or a command names it: the same two words wherever Muster dials another machine.

import { X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { z } from 'zod'
import { failure } from '../contract/errors.ts'
import { describeFileProblem } from '../contract/file-problem.ts'
import type { Trust } from '../sdk/tls.ts'
import { pinShape } from '../wire/key-pin.ts'

export const TrustConfig = z.strictObject({
  /** PEM file of the authorities that count, instead of the system's. */
  caFile: z
    .string()
    .max(4096)
    .regex(/^(?:\/|~\/)/, 'it is an absolute path, or begins with ~/')
    .optional(),
  /** The hub's public key, or that of an authority above it. Without `caFile` it alone counts, whoever signed the certificate. */
  pin: z.string().regex(pinShape, 'it is sha256// and 44 characters of Base64 (docs/connectors/http.md)').optional(),
})
export type TrustConfig = z.output<typeof TrustConfig>

/** Reads the file anew each time, so that one that is changed counts. Throws `file.unreadable`. */
export async function readTrust({ caFile, pin }: TrustConfig): Promise<Trust> {
  return { ca: caFile === undefined ? undefined : await readAuthorities(caFile), pin }
}

async function readAuthorities(file: string): Promise<string> {
  const text = await readText(file.replace(/^~(?=\/)/, homedir()), file)
  try {
    new X509Certificate(text)
  } catch (cause) {
    throw failure('file.unreadable', { file, problem: 'it holds no certificate as PEM' }, { cause })
  }
  return text
}

async function readText(path: string, file: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    throw failure('file.unreadable', { file, problem: describeFileProblem(error) }, { cause: error })
  }
}
