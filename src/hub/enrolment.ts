// Enrolment of hosts that dial in: the one-time token binds the first key that shows it; from then on the key alone counts.
// Used by the operations node.enroll and fleet.token and by the door for dial-ins. The token itself is kept nowhere, only its SHA-256.

import { randomBytes } from 'node:crypto'
import { ulid } from 'ulidx'
import type { DialInGate } from '../connectors/dial-in.ts'
import { formatEnrolmentToken, parseEnrolmentToken } from '../connectors/enrolment-token.ts'
import { failure } from '../contract/errors.ts'
import { addEnrolment, bindKey, findEnrolment, findNodeByKey, replaceEnrolment, tokenMatches } from '../store/nodes.ts'
import type { Store } from '../store/store.ts'

export interface NewEnrolment {
  readonly host: string
  readonly token: string
}

/** Mints a host id and its token, durably. The token can never be shown again. */
export async function mintEnrolment(store: Store, hubKey: string): Promise<NewEnrolment> {
  const host = `host_${ulid()}`
  const token = newToken(host, hubKey)
  await addEnrolment(store, { host, token })
  return { host, token }
}

/** Another token for a host that is there, durably. From then on neither the former token nor, without the new one, its key lets it in. */
export async function renewEnrolment(store: Store, hubKey: string, host: string): Promise<string> {
  const token = newToken(host, hubKey)
  await replaceEnrolment(store, { host, token })
  return token
}

/** Which host a proven key alone is. Throws `node.unknown`, `node.token_replaced`. */
export async function hostOfKey(store: Store, key: string): Promise<string> {
  const known = await findNodeByKey(store, key)
  if (!known) throw failure('node.unknown')
  if (!known.hasShownToken) throw failure('node.token_replaced')
  return known.host
}

function newToken(host: string, hubKey: string): string {
  return formatEnrolmentToken(host, hubKey, randomBytes(32).toString('hex'))
}

/** Which host a proven key is. Throws `enroll.token_invalid`, `enroll.token_used`, `node.unknown`, `node.token_replaced`. `nameOf` is for what people read. */
export async function hostOfNode(
  store: Store,
  node: Parameters<DialInGate['admit']>[0],
  nameOf: (host: string) => string,
): Promise<string> {
  if (node.credential === undefined) return hostOfKey(store, node.key)
  const { host } = parseEnrolmentToken(node.credential)
  const enrolment = await findEnrolment(store, host)
  if (!enrolment || !tokenMatches(enrolment, node.credential)) throw failure('enroll.token_invalid')
  if (!(await bindKey(store, host, node.key))) throw failure('enroll.token_used', { host: nameOf(host) })
  return host
}
