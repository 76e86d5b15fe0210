// The one-time token that enrolment prints: it names the host, pins the hub's key, and carries the secret.
// Both sides read it: the hub to find the enrolment, the node to know which key to expect before it sends anything.

import { z } from 'zod'
import { failure } from '../contract/errors.ts'

export interface EnrolmentToken {
  readonly host: string
  /** Fingerprint of the hub's public key. */
  readonly hubKey: string
  /** The whole token, as it is sent and hashed. */
  readonly value: string
}

const Shape = z.string().regex(/^mnode_(host_[0-9A-HJKMNP-TV-Z]{26})_([A-Za-z0-9]+)_([0-9a-f]{64})$/)

export function formatEnrolmentToken(host: string, hubKey: string, secret: string): string {
  return `mnode_${host}_${hubKey}_${secret}`
}

/** Throws `enroll.token_invalid` for anything that no hub printed. */
export function parseEnrolmentToken(value: string): EnrolmentToken {
  const match = Shape.safeParse(value).success ? value.split('_') : undefined
  if (!match) throw failure('enroll.token_invalid')
  return { host: `host_${match[2]}`, hubKey: match[3] as string, value }
}
