// What the tools need of a hub: its operations and those of its hosts, asked as whoever the connection belongs to. The hub's own process
// and a client of it both fit, so that a tool cannot tell them apart, and has no other way to a host.

import type { Caller } from '../contract/caller.ts'
import type { Scope } from '../contract/operation.ts'

export interface ToolFleet {
  /** Answers hubOperations. */
  readonly hub: Caller
  /** Answers hostOperations for one host, by name or id. Rejects with `host.unknown`. */
  host(ref: string): Promise<Caller>
  /** Who asks, as the hub sees it. */
  asker(): Promise<Asker>
}

export interface Asker {
  /** What one began is for nobody else to go on with. */
  readonly id: string
  readonly scopes: ReadonlySet<Scope>
  /** Aborts, with why, when what lets him in is good no more: what he began ends then. */
  readonly ended?: AbortSignal
}
