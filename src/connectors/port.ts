// The port that every way to reach a host fits: all that the hub knows of a connector, and all that a connector must do.
// The hub asks through `caller` and never learns what carries the question; a connector never learns what is asked.

import type { Logger } from 'pino'
import type { Caller } from '../contract/caller.ts'
import type { MusterError } from '../contract/errors.ts'
import type { Principal } from '../contract/implementation.ts'
import type { Channel } from '../wire/channel.ts'
import type { Identity } from '../wire/identity.ts'
import type { Limits } from '../wire/limits.ts'

/** What a connector cannot do like the others, declared, so that nothing else has to ask for its kind. */
export interface ConnectorTraits {
  /** The hub reads this host's runs from its mirror, since the link may be away. False: the host is asked each time. */
  readonly mirrored: boolean
  /** Questions and control are carried at the host's next poll, which may be minutes away. False: they arrive at once. */
  readonly deferred: boolean
  /** Standard input and live calls into a proc make sense: what is sent arrives while somebody waits for it. */
  readonly interactive: boolean
}

/** What the hub gives a connector beside its own part of the registry record. */
export interface ConnectorContext {
  /** The host's id, and the name that people call it by now: it may be renamed, so ask each time. */
  readonly host: string
  readonly name: string
  /** When this host was last reached, ISO 8601; null when it never was. */
  readonly lastSeenAt: string | null
  /** The hub's own key, for what must be signed. */
  readonly identity: Identity
  readonly version: string
  /** A directory of this connector's own, $MUSTER_HOME/hub/connectors/<id>. Whoever first writes there makes it (mode 0700). */
  readonly dir: string
  /** The host's secret, read anew each time, so that one that is changed counts; undefined when it has none. Never log it. */
  readonly secret: () => Promise<string | undefined>
  readonly log: Logger
}

/**
 * A link as it stands. `since` is ISO 8601; `reason` has no full stop. An online link has a caller, and it may end at any moment:
 * calls then fail with `wire.closed`. Where the host polls (`deferred`), there is one also while it is away: what is asked waits for it.
 */
export type LinkState =
  | { readonly status: 'online'; readonly since: string; readonly caller: Caller }
  | { readonly status: 'offline'; readonly since: string; readonly reason: string; readonly caller?: Caller }
  | { readonly status: 'never_seen'; readonly since: null; readonly reason?: string; readonly caller?: Caller }

/**
 * One host's connector at the hub. Lifecycle: made from its registry record, lives until the record is removed or the hub closes.
 * It keeps the link up by itself and never throws for a broken one: that is a state.
 */
export interface Connector extends AsyncDisposable {
  readonly traits: ConnectorTraits
  readonly state: LinkState
  /** Told of each change of `state`, after it; returns how to stop listening. */
  onChange(listener: (state: LinkState) => void): () => void
  /** Where the host dials in: takes a channel whose other side has proven to be this host. Absent where the hub dials. */
  readonly attach?: (channel: Channel, host: Principal, limits: Limits) => void
  /** Ends the link with this reason and never opens it again. May be called twice. */
  close(reason: MusterError): Promise<void>
}
