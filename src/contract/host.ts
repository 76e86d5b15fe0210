// Hosts: what one says about itself, and how a hub lists the hosts it knows.

import { z } from 'zod'
import { Flag, HostName, HostRef, Labels, listOf, Time } from './names.ts'
import { operation } from './operation.ts'
import { CommandPattern } from './policy.ts'
import { RunKind } from './run-kind.ts'

/** What a host says of itself. A thing that is not known is null, never zero. */
export const HostInfo = z.object({
  version: z.string(),
  protocol: z.int(),
  platform: z.string(),
  arch: z.string(),
  hostname: z.string(),
  cores: z.int().nullable(),
  memoryBytes: z.int().nullable(),
  bootedAt: Time.nullable(),
  activeRuns: z.int().nullable(),
  clock: Time,
  catalogSize: z.int().nullable().default(null).meta({ description: 'How many entries its catalog has.' }),
  backends: z
    .array(z.string())
    .nullable()
    .default(null)
    .meta({ description: 'The ways in which it carries procs: `process`, a child of its own; `local`, in the host itself.' }),
  kinds: z.array(RunKind).meta({ description: 'The kinds of run that it can carry.' }),
  allows: z.array(z.string()).meta({ description: 'The families that its policy lets this caller use.' }),
})
export type HostInfo = z.output<typeof HostInfo>

export const getHostInfo = operation({
  kind: 'call',
  name: 'host.info',
  summary: 'What the host says of itself.',
  input: z.strictObject({}),
  output: HostInfo,
  errors: [],
  scope: 'read',
  deferrable: false,
  http: 'GET /info',
})

export const shutdownHost = operation({
  kind: 'call',
  name: 'host.shutdown',
  summary:
    "Ends the host's procs, then the host; answers when they have ended and their output is flushed. Runs that are told to stay go on.",
  input: z.strictObject({
    timeoutMs: z.int().min(0).max(600_000).default(10_000),
    concurrency: z.int().min(1).max(64).default(8),
  }),
  output: z.object({ ended: z.int().nonnegative() }),
  errors: [],
  scope: 'admin',
  deferrable: false,
  http: 'POST /shutdown',
})

/** What a hub trusts a host with: the hub's side of what may be begun there. */
export const Trust = z
  .array(CommandPattern)
  .meta({ description: 'What this hub may begin there, as patterns of commands; its own policy may allow less.' })

/** What asking a host just now came to. */
export const Probe = z.object({
  answered: z.boolean(),
  roundTripMs: z.int().nullable(),
  problem: z.string().nullable().meta({ description: 'Why there is no answer.' }),
})
export type Probe = z.output<typeof Probe>

export const HostRow = z.object({
  id: z.string(),
  name: HostName,
  label: z.string().meta({ description: '`local`, the URL, `ssh:…`, `tunnel:<id>` or `bucket:<url>`.' }),
  connector: z.string(),
  labels: Labels,
  trust: Trust.default(['*']),
  status: z.enum(['online', 'offline', 'never_seen']),
  since: Time.nullable().meta({ description: 'Since when it has that status.' }),
  reason: z.string().nullable().meta({ description: 'Why it is offline.' }),
  lastSeenAt: Time.nullable(),
  info: HostInfo.nullable().meta({ description: 'What it last said of itself.' }),
  versionSkew: z
    .enum(['same', 'older', 'newer', 'other'])
    .nullable()
    .meta({ description: "Its version beside this hub's, which only the protocol's version makes matter." }),
  clockOffsetMs: z
    .int()
    .nullable()
    .meta({ description: "Its clock minus this hub's when it was last asked; half the round trip is how wrong it can be." }),
  probe: Probe.nullable().meta({ description: 'What asking it just now came to; null when it was not asked.' }),
})
export type HostRow = z.output<typeof HostRow>

/** Where the hub keeps what it shows a host to be let in. */
const SecretHolder = z.enum(['keychain', 'file', 'none'])

const HostDetail = HostRow.extend({ secret: SecretHolder })
export type HostDetail = z.output<typeof HostDetail>

export const listHosts = operation({
  kind: 'call',
  name: 'fleet.hosts',
  summary: 'Every host the hub knows, `local` first. The status is that of the link; with `probe`, all are asked at once.',
  input: z.strictObject({
    probe: Flag.default(false).meta({ description: 'Ask each host that can be asked at once how it is.' }),
    deadlineMs: z.coerce.number().int().min(50).max(60_000).default(2_000).meta({ description: 'How long a host may take.' }),
  }),
  output: z.object({
    hosts: z.array(HostRow),
    corrupt: z
      .array(z.object({ file: z.string(), problem: z.string() }))
      .meta({ description: 'Host records that are not as they should be; the others are served.' }),
  }),
  errors: [],
  scope: 'read',
  deferrable: false,
  http: 'GET /hosts',
})

export const showHost = operation({
  kind: 'call',
  name: 'fleet.host',
  summary: 'One host, asked for its present state when it can be reached.',
  input: z.strictObject({ host: HostRef }),
  output: HostDetail,
  errors: ['host.unknown'],
  scope: 'read',
  deferrable: false,
  http: 'GET /hosts/:host',
})

/** What a host wants to be shown. */
const Secret = z.string().min(1).max(4096)

const Probing = z.object({
  probe: Flag.default(true),
  deadlineMs: z.coerce
    .number()
    .int()
    .min(50)
    .max(60_000)
    .default(10_000)
    .meta({ description: 'How long the link and the answer may take. The host is kept either way.' }),
})

export const addHost = operation({
  kind: 'call',
  name: 'fleet.add',
  summary: 'Makes a record for a host that this hub reaches by itself, and asks it how it is.',
  input: z.strictObject({
    name: HostName,
    labels: Labels.default({}),
    trust: Trust.default(['*']),
    connector: z
      .looseObject({ kind: z.string() })
      .meta({ description: 'How it is reached: the `[connector]` part of its record (docs/hosts.md).' }),
    secret: Secret.optional().meta({
      description: "What the host wants to be shown; kept in the hub's keychain, never in the record.",
    }),
    ...Probing.shape,
  }),
  output: z.object({
    host: HostDetail,
    command: z.string().nullable().meta({ description: "What to run on the host's own machine, where it has to do its part." }),
  }),
  errors: ['host.name_taken', 'host.dials_in', 'host.token_missing', 'host.no_token'],
  scope: 'admin',
  deferrable: false,
  http: 'POST /hosts',
})

export const renameHost = operation({
  kind: 'call',
  name: 'fleet.rename',
  summary: 'Gives a host another name. Its id, its runs and its link stay.',
  input: z.strictObject({ host: HostRef, name: HostName }),
  output: HostRow,
  errors: ['host.unknown', 'host.name_taken', 'host.local_fixed', 'host.record_corrupt'],
  scope: 'admin',
  deferrable: false,
  http: 'PUT /hosts/:host/name',
})

export const labelHost = operation({
  kind: 'call',
  name: 'fleet.label',
  summary: "Sets some of a host's labels and takes others away; the rest stay.",
  input: z.strictObject({ host: HostRef, set: Labels.default({}), unset: listOf(z.string()).default([]) }),
  output: HostRow,
  errors: ['host.unknown', 'host.local_fixed', 'host.record_corrupt'],
  scope: 'admin',
  deferrable: false,
  http: 'PUT /hosts/:host/labels',
})

export const trustHost = operation({
  kind: 'call',
  name: 'fleet.trust',
  summary: "Adds to what this hub may begin on a host, and takes away; the rest stays. The host's own policy may allow less.",
  input: z.strictObject({ host: HostRef, add: Trust.max(64).default([]), remove: Trust.max(64).default([]) }),
  output: HostRow,
  errors: ['host.unknown', 'host.local_fixed', 'host.record_corrupt'],
  scope: 'admin',
  deferrable: false,
  http: 'PUT /hosts/:host/trust',
})

export const removeHost = operation({
  kind: 'call',
  name: 'fleet.remove',
  summary: 'Forgets a host, revokes its credential and closes its link. Refused while it has live runs, unless forced.',
  input: z.strictObject({ host: HostRef, force: Flag.default(false) }),
  output: z.object({
    removed: z.string(),
    leftInKeychain: z
      .string()
      .nullable()
      .meta({ description: 'Why its secret is still in the keychain, where that could not be asked.' }),
  }),
  errors: ['host.unknown', 'host.local_stays', 'host.busy'],
  scope: 'admin',
  deferrable: false,
  http: 'DELETE /hosts/:host',
})

const HubUrl = z
  .url({ protocol: /^wss?$/ })
  .optional()
  .meta({ description: "The address the host will dial; default: this hub's own." })

/** What a machine needs to join: shown this once. */
const Joining = z.object({
  token: z.string(),
  hubUrl: z.string(),
  command: z.string().meta({ description: 'To run there: a shell line with the token in it, which no list of processes shows.' }),
  commandStdin: z.string().meta({ description: 'The same without the token, which it reads from standard input.' }),
})
export type Joining = z.output<typeof Joining>

export const enrollNode = operation({
  kind: 'call',
  name: 'node.enroll',
  summary: 'Makes a record for a host that will dial in, and mints its one-time token. The token is shown this once.',
  input: z.strictObject({
    name: HostName,
    labels: Labels.default({}),
    trust: Trust.default(['*']),
    hubUrl: HubUrl,
  }),
  output: z.object({ host: z.string(), name: z.string(), ...Joining.shape }),
  errors: ['host.name_taken', 'link.insecure'],
  scope: 'admin',
  deferrable: false,
  http: 'POST /hosts/tunnel',
})

export const replaceHostToken = operation({
  kind: 'call',
  name: 'fleet.token',
  summary:
    'Gives a host another token; the former one counts no longer. For a host that dials in the hub mints it, closes the link at once and ' +
    'takes the key of its node back only with the new token. For one that is shown a token, `secret` is the new one.',
  input: z.strictObject({
    host: HostRef,
    secret: Secret.optional().meta({ description: 'The new token, where the hub shows the host one.' }),
    hubUrl: HubUrl,
    ...Probing.shape,
  }),
  output: z.object({
    host: HostDetail,
    joining: Joining.nullable().meta({ description: 'For a host that dials in: the new token, shown this once.' }),
  }),
  errors: ['host.unknown', 'host.no_token', 'host.token_wanted', 'host.token_minted', 'host.record_corrupt'],
  scope: 'admin',
  deferrable: false,
  http: 'PUT /hosts/:host/token',
})
