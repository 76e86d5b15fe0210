// The typed client of a hub's HTTP API, for programs and the CLI: the same Caller as over the wire or in process.
// It knows operations only through the contract, and nothing of what a hub is inside.

import type { Caller } from '../contract/caller.ts'
import { httpCaller } from './http-caller.ts'
import type { ResumePolicy } from './resume.ts'
import { type HubAddress, openTransport } from './transport.ts'

export interface HubClient {
  /** Answers hubOperations. */
  readonly hub: Caller
  /** Answers hostOperations for one host, by name or id. */
  host(ref: string): Caller
  /** Closes every connection; calls in flight end with `wire.closed`, and reads go on over new ones. */
  close(): void
}

/**
 * Makes a client; nothing is sent before the first call. A call fails with the hub's own errors; with `hub.not_running`,
 * `link.certificate` or `link.tls`, when nothing was sent; or with `wire.closed`, `call.deadline` or `call.cancelled`, when the hub
 * may have done it all the same. Reads resume by themselves after a break; calls and uploads are never repeated.
 */
export function connectHub(address: HubAddress, policy: ResumePolicy = {}): HubClient {
  const transport = openTransport(address)
  return {
    hub: httpCaller(transport, 'hub', policy),
    host: (ref) => httpCaller(transport, { host: ref }, policy),
    close: transport.close,
  }
}
