// What a request may ask for beyond its token's scope: a hub that is served for reading only changes nothing for whoever comes over
// the network, and one hub answers another for its own machine only, so that no request goes in a circle.

import type { IncomingHttpHeaders } from 'node:http'
import { failure } from '../contract/errors.ts'
import { getHubInfo } from '../contract/fleet.ts'
import { viaHeader } from '../contract/http.ts'
import { localHost } from '../contract/names.ts'
import type { Operation } from '../contract/operation.ts'

export interface AskedFor {
  readonly operation: Operation
  /** The host that the path names; undefined where the hub itself is asked. */
  readonly host: string | undefined
  readonly headers: IncomingHttpHeaders
  /** It came over the local socket. */
  readonly isLocal: boolean
}

export interface Admission {
  /** This hub's id, as other hubs say it in their requests. */
  readonly hub: string
  readonly readOnly: boolean
}

/** Throws `hub.read_only`, `hub.loop` or `hub.one_hop`. */
export function requireAdmission({ hub, readOnly }: Admission, { operation, host, headers, isLocal }: AskedFor): void {
  if (readOnly && !isLocal && operation.scope !== 'read') throw failure('hub.read_only', { operation: operation.name })
  const via = hubsPassed(headers)
  if (via.length === 0) return
  if (via.includes(hub)) throw failure('hub.loop', { hub })
  if (host !== localHost && operation !== getHubInfo)
    throw failure('hub.one_hop', { operation: operation.name, asked: host === undefined ? 'the hub' : `host ${host}` })
}

function hubsPassed(headers: IncomingHttpHeaders): string[] {
  return [headers[viaHeader.toLowerCase()] ?? []].flat().flatMap((one) => one.split(',').map((id) => id.trim()))
}
