// The hubs that a node's home has joined, over a tunnel or in a bucket: whom a rule of its policy can be about.

import { join } from 'node:path'
import { z } from 'zod'
import { fingerprintOf } from '../wire/identity.ts'
import { namesIn, readJson } from './own-files.ts'

export interface KnownHub {
  /** The fingerprint of its key. */
  readonly key: string
  /** Where it was joined. */
  readonly at: string
}

const overTunnel = z.object({ hubKey: z.string().regex(/^[0-9a-f]{32}$/), hubUrl: z.string() })
const inBucket = z.object({ hubKey: z.string(), place: z.object({ bucket: z.string() }) })

/** `home` is $MUSTER_HOME. A file that cannot be read as the record of a hub is not one. */
export async function knownHubs(home: string): Promise<KnownHub[]> {
  const dir = join(home, 'node')
  const files = (await namesIn(dir)).filter((name) => name.endsWith('.json')).map((name) => join(dir, name))
  const joined = (await namesIn(join(dir, 'bucket'))).map((host) => join(dir, 'bucket', host, 'joined.json'))
  const records = await Promise.all([...files, ...joined].map(readJson))
  return records.flatMap((record): KnownHub[] => {
    const tunnel = overTunnel.safeParse(record).data
    if (tunnel) return [{ key: tunnel.hubKey, at: tunnel.hubUrl }]
    const bucket = inBucket.safeParse(record).data
    return bucket ? [{ key: fingerprintOf(bucket.hubKey), at: bucket.place.bucket }] : []
  })
}
