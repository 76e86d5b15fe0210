// A signed object. What is signed includes the host it is for and the key it lies under, so that one that was altered, moved to another
// key, carried to another host's bucket or made by a Muster of another protocol version is none.
//
//     {"by":KEY,"introduction":…,"signature":…} \n  header as JSON \n  body

import { z } from 'zod'
import { type Identity, verify } from '../../wire/identity.ts'
import { protocolVersion } from '../../wire/protocol.ts'

export interface Place {
  /** The host whose bucket it is. */
  readonly host: string
  /** Below the bucket's prefix. */
  readonly key: string
}

export interface Unsealed {
  /** The public key that has signed it. Whether that one may is the reader's to decide. */
  readonly by: string
  readonly introduction: string | undefined
  readonly header: unknown
  readonly body: Uint8Array
}

/** Written in one way only: other spellings of the same bytes are refused. */
const Base64 = z
  .string()
  .max(128)
  .refine((text) => Buffer.from(text, 'base64url').toString('base64url') === text)

const Signed = z.strictObject({ by: Base64, introduction: Base64.optional(), signature: Base64 })

const longestFirstLine = 512
const newline = 10

export function seal(
  place: Place,
  { identity, introduction }: { identity: Identity; introduction?: string },
  header: unknown,
  body: readonly Uint8Array[] = [],
): Buffer {
  const content = Buffer.concat([Buffer.from(`${JSON.stringify(header)}\n`), ...body])
  const signature = Buffer.from(identity.sign(whatIsSigned(place, content))).toString('base64url')
  const first = JSON.stringify({ by: identity.publicKey, ...(introduction !== undefined && { introduction }), signature })
  return Buffer.concat([Buffer.from(`${first}\n`), content])
}

/** Undefined for anything that nobody sealed for this place. */
export function unseal(place: Place, bytes: Uint8Array): Unsealed | undefined {
  const object = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const end = object.subarray(0, longestFirstLine).indexOf(newline)
  const signed = end === -1 ? undefined : Signed.safeParse(parseJson(object.toString('utf8', 0, end))).data
  if (!signed) return undefined
  const content = object.subarray(end + 1)
  if (!verify(signed.by, whatIsSigned(place, content), Buffer.from(signed.signature, 'base64url'))) return undefined
  const headerEnd = content.indexOf(newline)
  if (headerEnd === -1) return undefined
  return {
    by: signed.by,
    introduction: signed.introduction,
    header: parseJson(content.toString('utf8', 0, headerEnd)),
    body: content.subarray(headerEnd + 1),
  }
}

function whatIsSigned({ host, key }: Place, content: Uint8Array): Uint8Array {
  return Buffer.concat([Buffer.from(`muster bucket ${protocolVersion}\n${host}\n${key}\n`), content])
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // Then it holds no value, and no schema takes that.
    return undefined
  }
}
