// The ways to reach a host as the command line asks for them. A new connector adds its own here.

import { bucketFlags } from './bucket/flags.ts'
import type { ConnectorFlags } from './flag.ts'
import { httpFlags } from './http/flags.ts'
import { sshFlags } from './ssh/flags.ts'

export type { ConnectorFlag, ConnectorFlags } from './flag.ts'
export { trustFlags } from './trust-flags.ts'

export const connectorFlags: readonly ConnectorFlags[] = [httpFlags, sshFlags, bucketFlags]
