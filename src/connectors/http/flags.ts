// How `muster host add` is told of an http host.

import type { ConnectorFlags } from '../flag.ts'
import { trustFlags } from '../trust-flags.ts'

export const httpFlags: ConnectorFlags = {
  kind: 'http',
  way: { flags: '--url <url>', field: 'url', description: 'reach it over https: the address of the hub that serves there' },
  others: [
    ...trustFlags.map((flag) => ({ ...flag, description: `url: ${flag.description}` })),
    {
      flags: '--insecure',
      field: 'insecure',
      description: 'url, bucket: permit http:// beyond this machine',
      warning: 'With --insecure, whoever is on the way can read the token and do there all that it allows.',
    },
  ],
  takesToken: true,
}
