// How the command line says whom to trust over TLS: of `muster host add --url` and of `muster node --hub wss://…`.

import type { ConnectorFlag } from './flag.ts'

export const trustFlags: readonly ConnectorFlag[] = [
  { flags: '--ca-file <file>', field: 'caFile', value: 'file', description: 'the authorities (PEM) that count for it' },
  { flags: '--pin <key>', field: 'pin', description: 'its public key or that of its authority, as sha256//BASE64' },
]
