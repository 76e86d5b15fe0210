// The `[connector]` part of a host's registry record: one shape for each way to reach a host. Used by the registry, and by the command
// line, which checks what it was given before it asks a hub. A new connector adds its own here; table.ts has what is done with it.

import { z } from 'zod'
import { BucketConfig, refusePlaintext as refusePlainEndpoint } from './bucket/config.ts'
import { HttpConfig, refusePlaintext } from './http/config.ts'
import { SshConfig } from './ssh/config.ts'
import { TunnelConfig } from './tunnel/config.ts'

export const ConnectorConfig = z.discriminatedUnion('kind', [BucketConfig, HttpConfig, SshConfig, TunnelConfig])
export type ConnectorConfig = z.output<typeof ConnectorConfig>

/** Throws what a connector has against its configuration before anything is tried, such as `link.insecure`. */
export function refuseUnsafe(config: ConnectorConfig): void {
  if (config.kind === 'http') refusePlaintext(config)
  if (config.kind === 'bucket') refusePlainEndpoint(config)
}
