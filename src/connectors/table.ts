// The one list of the ways to reach another host. Adding a connector is a folder like the others and an entry here;
// nothing else names one by kind.

import type { Identity } from '../wire/identity.ts'

export { type Executor, openLocal } from './local/connector.ts'

import { connectBucket } from './bucket/connector.ts'
import { joinCommand } from './bucket/join-token.ts'
import { placeText } from './bucket/place.ts'
import type { ConnectorConfig } from './config.ts'
import { connectHttp } from './http/connector.ts'
import type { Connector, ConnectorContext } from './port.ts'
import { connectSsh } from './ssh/connector.ts'
import { connectTunnel } from './tunnel/connector.ts'

export function openConnector(config: ConnectorConfig, context: ConnectorContext): Connector {
  switch (config.kind) {
    case 'bucket':
      return connectBucket(config, context)
    case 'http':
      return connectHttp(config, context)
    case 'ssh':
      return connectSsh(config, context)
    case 'tunnel':
      return connectTunnel(context)
  }
}

/** How a host list names the way to it. */
export function connectorLabel(config: ConnectorConfig, host: string): string {
  switch (config.kind) {
    case 'bucket':
      return `bucket:${config.bucket}${config.prefix === undefined ? '' : `/${config.prefix}`}`
    case 'http':
      return config.url
    case 'ssh':
      return `ssh:${config.destination}${config.port === undefined ? '' : `:${config.port}`}`
    case 'tunnel':
      return `tunnel:${host}`
  }
}

/** Whether the host dials this hub, and so gets its record by enrolment. */
export function dialsIn(config: ConnectorConfig): boolean {
  return config.kind === 'tunnel'
}

/** Whose a host's token is: `minted` by this hub for a node that dials in, `shown` to the host by this hub, or there is none. */
export function tokenOf(config: ConnectorConfig): 'minted' | 'shown' | 'none' {
  switch (config.kind) {
    case 'tunnel':
      return 'minted'
    case 'http':
      return 'shown'
    case 'bucket':
    case 'ssh':
      return 'none'
  }
}

/** Where no second host may be, as people read it; null where two records of one place do no harm. */
export function placeOf(config: ConnectorConfig): string | null {
  switch (config.kind) {
    case 'bucket':
      return placeText(config)
    case 'http':
    case 'ssh':
    case 'tunnel':
      return null
  }
}

/** What to run on the host's own machine, where it has to do its part; null where nothing is to be done. */
export function hostCommand(config: ConnectorConfig, of: { host: string; identity: Identity }): string | null {
  switch (config.kind) {
    case 'bucket':
      return joinCommand(config, of)
    case 'http':
    case 'ssh':
    case 'tunnel':
      return null
  }
}
