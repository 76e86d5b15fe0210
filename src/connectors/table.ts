// The one list of the ways to reach a host. Adding a connector is a folder like the others and an entry here;
// nothing else names one by kind.

import { z } from 'zod'
import type { Implementation } from '../contract/implementation.ts'
import { LocalConfig } from './local/config.ts'
import { connectLocal } from './local/connector.ts'
import type { Connector } from './port.ts'
import { TunnelConfig } from './tunnel/config.ts'
import { connectTunnel } from './tunnel/connector.ts'

/** The `[connector]` part of a host's registry record. */
export const ConnectorConfig = z.discriminatedUnion('kind', [LocalConfig, TunnelConfig])
export type ConnectorConfig = z.output<typeof ConnectorConfig>

/** What a connector may need of the hub that opens it. */
export interface ConnectorEnvironment {
  /** The hub's own host. */
  readonly local: Implementation
  readonly lastSeenAt: string | null
}

export function openConnector(config: ConnectorConfig, environment: ConnectorEnvironment): Connector {
  switch (config.kind) {
    case 'local': return connectLocal(environment.local)
    case 'tunnel': return connectTunnel(environment.lastSeenAt)
  }
}

/** How a host list names the way to it. */
export function connectorLabel(config: ConnectorConfig, host: string): string {
  switch (config.kind) {
    case 'local': return 'local'
    case 'tunnel': return `tunnel:${host}`
  }
}
