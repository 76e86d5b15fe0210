// How `muster host add` is told of a bucket host.

import type { ConnectorFlags } from '../flag.ts'

export const bucketFlags: ConnectorFlags = {
  kind: 'bucket',
  way: {
    flags: '--bucket <url>',
    field: 'bucket',
    description: 'reach it through a bucket: s3://NAME, gs://NAME or file:///DIRECTORY',
  },
  others: [
    { flags: '--prefix <prefix>', field: 'prefix', description: 'bucket: what the names of its objects begin with' },
    { flags: '--endpoint <url>', field: 'endpoint', description: "bucket: the store's address, if not the provider's own" },
    {
      flags: '--insecure',
      field: 'insecure',
      description: 'url, bucket: permit http:// beyond this machine',
      warning: 'With --insecure, whoever is on the way can read commands and output, and can delete what lies in the bucket.',
    },
  ],
  takesToken: false,
}
