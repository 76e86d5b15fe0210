// What the suite needs of a connector: a real hub and a real host that is reached by it, and the ways in which both are broken. Whoever
// writes a connector writes one of these beside it; the cases know nothing else of it.

import type { Connector, ConnectorContext, ConnectorTraits } from '../../../src/connectors/port.ts'
import type { HubClient } from '../../../src/sdk/client.ts'

export interface Fixture extends AsyncDisposable {
  /** The host's name at the hub. */
  readonly host: string
  /** $MUSTER_HOME of the host's machine. */
  readonly home: string
  /** Asks the hub over HTTP, as an operator. Stays good when the hub is started anew. */
  readonly client: HubClient
  /** Kills the hub with SIGKILL and starts it again; resolves when it answers. */
  restartHub(): Promise<void>
  /** Kills what makes the machine a host with SIGKILL and starts it again, by a clock that is so much off; waits for nothing. */
  restartHost(clockOffByMs?: number): Promise<void>
  /** Who has been cut off again and again waits longer each time: after this, nobody remembers. The host may be away for a moment. */
  forgetTroubles?(): Promise<void>
  /** Where the host is a machine of its own. Absent where the hub itself is the host. */
  readonly apart?: Apart
  /** What hub and host wrote, for a case that fails. */
  log(): string
}

export interface Apart {
  /** Nothing passes between hub and host any more, until `mend`. */
  cut(): void
  mend(): void
  /** The host's program is gone, until `startHost`. Its runs go on. */
  killHost(): Promise<void>
  startHost(): void
  /** The host's program does not answer, and its connections stay, until `thaw`. */
  freeze(): Promise<void> | void
  thaw(): Promise<void> | void
  /** Who asks is not known to the other side any more (a key, a token, a login), until `authorise`; the link is down when it resolves, or will be soon. */
  unauthorise(): Promise<void>
  authorise(): Promise<void>
  /** The host's program is another that speaks no protocol of the hub's, until `match`. */
  mismatch(): Promise<void>
  match(): Promise<void>
}

/** One row of the table of connectors. */
export interface Conforming {
  readonly kind: string
  /** The connector, opened for what it declares; it reaches nobody. */
  connector(context: ConnectorContext): Connector | Promise<Connector>
  /** What it declares, as declared.test.ts holds it to. */
  readonly traits: ConnectorTraits
  /** Whether the host is another process than the hub, which a link joins to it. */
  readonly apart: boolean
  /** How long a case waits at most for something that should come soon. */
  readonly patienceMs: number
  /** Why it cannot be tried on this machine (a program is missing); undefined when it can. */
  missing(): string | undefined
  open(): Promise<Fixture>
}
