// Pairing: machines that ask this hub to be let in, and hosts that ask for more than was approved. A person decides about both.

import { z } from 'zod'
import { Trust } from './host.ts'
import { HostName, HostRef, Time } from './names.ts'
import { operation } from './operation.ts'

const PairingId = z.string().regex(/^pair_[0-9A-HJKMNP-TV-Z]{26}$/, 'it is no id that `muster pairing list` shows')

/** As the machine shows it. The hub never tells it: whoever approves has to look there. */
export const PairingCode = z
  .string()
  .regex(/^[0-9]{6}$/, 'a code is the six digits that `muster node join` shows')
  .meta({ description: 'The six digits that the machine shows. The hub never tells them.' })

/** What is asked for or approved: names and beginnings of names, `*` for all. */
const Families = z.array(Trust.element).max(64)

export const PairingRow = z.object({
  id: z.string(),
  kind: z.enum(['new', 'rejoin', 'upgrade']).meta({
    description: 'A machine that is new here, one whose key is a host already, or a host that asks for more than was approved.',
  }),
  name: z.string().meta({ description: 'What the machine calls itself; of a host that is known, its name here.' }),
  nameTaken: z.boolean().meta({ description: 'Another host has that name: approve with another.' }),
  host: z.string().nullable().meta({ description: 'The host that it is already.' }),
  key: z.string().nullable().meta({ description: 'Fingerprint of the key that it has proven.' }),
  address: z.string().nullable().meta({ description: 'Where its connection comes from; behind a proxy, the proxy.' }),
  platform: z.string().nullable(),
  software: z.string().nullable(),
  asks: z.array(z.string()).meta({ description: 'What this hub may do there if all of it is approved.' }),
  approved: z.array(z.string()).meta({ description: 'What was approved before.' }),
  since: Time,
  expiresAt: Time.nullable(),
  triesLeft: z.int().nullable().meta({ description: 'So many wrong codes may still be typed before its own counts no longer.' }),
})
export type PairingRow = z.output<typeof PairingRow>

function namesOne(input: Readonly<Record<string, unknown>>): boolean {
  return ['code', 'pairing', 'host'].filter((way) => input[way] !== undefined).length === 1
}

export const listPairings = operation({
  kind: 'call',
  name: 'pairing.list',
  summary:
    'Who waits for a decision: machines that ask to be let in, and hosts that ask for more. Without the codes, which only the machines show.',
  input: z.strictObject({}),
  output: z.object({ pairings: z.array(PairingRow) }),
  errors: [],
  scope: 'admin',
  deferrable: false,
  http: 'GET /pairings',
})

export const approvePairing = operation({
  kind: 'call',
  name: 'pairing.approve',
  summary:
    'Lets the machine in that shows this code, or grants a host what it asks for beyond what was approved. `allow` grants less than was asked.',
  input: z
    .strictObject({
      code: PairingCode.optional(),
      host: HostRef.optional().meta({ description: 'A host that asks for more.' }),
      name: HostName.optional().meta({ description: 'What a new host is called here, if not as it calls itself.' }),
      allow: Families.optional().meta({ description: 'Only these of what it asks for.' }),
    })
    .refine(namesOne, 'it names one of `code` and `host`'),
  output: z.object({ host: z.string(), name: z.string(), kind: PairingRow.shape.kind, trust: z.array(z.string()) }),
  errors: [
    'pairing.code_wrong',
    'pairing.locked',
    'pairing.decided',
    'pairing.not_asked',
    'pairing.no_upgrade',
    'host.unknown',
    'host.name_taken',
    'host.record_corrupt',
  ],
  scope: 'admin',
  deferrable: false,
  http: 'POST /pairings/approve',
})

export const rejectPairing = operation({
  kind: 'call',
  name: 'pairing.reject',
  summary:
    'Turns a machine away, by the code that it shows or by its id in the list, or what a host asks for beyond what was approved.',
  input: z
    .strictObject({ code: PairingCode.optional(), pairing: PairingId.optional(), host: HostRef.optional() })
    .refine(namesOne, 'it names one of `code`, `pairing` and `host`'),
  output: z.object({ rejected: z.string(), name: z.string() }),
  errors: ['pairing.code_wrong', 'pairing.locked', 'pairing.decided', 'pairing.no_upgrade', 'host.unknown'],
  scope: 'admin',
  deferrable: false,
  http: 'POST /pairings/reject',
})
