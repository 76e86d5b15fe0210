// Files between two hosts of a hub: it reads from the one what it writes to the other, so that no third machine carries them.

import { z } from 'zod'
import { HostRef } from './names.ts'
import { operation } from './operation.ts'

const inputOf = (meaning: string) => z.record(z.string(), z.unknown()).meta({ description: `The input of ${meaning}.` })

export const RelayProgress = z.object({
  bytes: z.int().nonnegative().meta({ description: 'So many have gone through so far.' }),
})

export const relayFiles = operation({
  kind: 'call',
  name: 'fleet.relay',
  summary:
    'Has one host write what another reads. It ends with its caller; what has come by then is gone on with as after any break (`file.staged`).',
  input: z.strictObject({
    what: z.enum(['file', 'several']).meta({
      description: '`file`: `file.get` there, `file.put` here. `several`: `file.gather` there, `file.scatter` here.',
    }),
    from: HostRef,
    read: inputOf('`file.get` or `file.gather`'),
    to: HostRef,
    write: inputOf('`file.put` or `file.scatter`'),
  }),
  output: z.object({ answer: z.unknown().meta({ description: 'What `file.put` or `file.scatter` has answered.' }) }),
  reports: RelayProgress,
  errors: [
    'host.unknown',
    'host.offline',
    'host.untrusted',
    'policy.denied',
    'policy.asks',
    'file.outside',
    'file.unreadable',
    'file.unwritable',
    'file.changed',
    'file.gap',
    'file.record',
  ],
  scope: 'operate',
  deferrable: false,
  http: 'POST /relay',
  // Both hosts' operations leave theirs.
  audited: false,
})
