// The one list of the ways to reach another host. Adding a connector is a folder like the others and an entry here;
// nothing else names one by kind.

import { z } from 'zod'

export { type Executor, openLocal } from './local/connector.ts'

import type { Connector, ConnectorContext } from './port.ts'
import { TunnelConfig } from './tunnel/config.ts'
import { connectTunnel } from './tunnel/connector.ts'

/** The `[connector]` part of a host's registry record. */
export const ConnectorConfig = z.discriminatedUnion('kind', [TunnelConfig])
export type ConnectorConfig = z.output<typeof ConnectorConfig>

export function openConnector(config: ConnectorConfig, context: ConnectorContext): Connector {
  switch (config.kind) {
    case 'tunnel':
      return connectTunnel(context)
  }
}

/** How a host list names the way to it. */
export function connectorLabel(config: ConnectorConfig, host: string): string {
  switch (config.kind) {
    case 'tunnel':
      return `tunnel:${host}`
  }
}
