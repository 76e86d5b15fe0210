// The typed client of a hub's HTTP API, for programs and the CLI: the same Caller as over the wire or in process.
// It knows operations only through the contract, and nothing of what a hub is inside.

import type { Caller } from '../contract/caller.ts'
import { httpCaller } from './http-caller.ts'
import { type HubAddress, openTransport } from './transport.ts'

export interface HubClient {
  /** Answers hubOperations. */
  readonly hub: Caller
  /** Answers hostOperations for one host, by name or id. */
  host(ref: string): Caller
  /** Closes every connection; calls in flight end with `wire.closed`. */
  close(): void
}

/**
 * Makes a client; nothing is sent before the first call. A call fails with the hub's own errors, `hub.not_running`, `wire.closed`,
 * `call.deadline` or `call.cancelled`. Reads resume by themselves after a break; calls and uploads are never repeated.
 * Over HTTP a call reports no progress: `onProgress` is never told anything.
 */
export function connectHub(address: HubAddress): HubClient {
  const transport = openTransport(address)
  return {
    hub: httpCaller(transport, 'hub'),
    host: (ref) => httpCaller(transport, { host: ref }),
    close: transport.close,
  }
}
