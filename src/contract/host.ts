// Hosts: what one says about itself, and how a hub lists the hosts it knows.

import { z } from 'zod'
import { Flag, HostName, HostRef, Labels, Time } from './names.ts'
import { operation } from './operation.ts'
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

export const HostRow = z.object({
  id: z.string(),
  name: HostName,
  label: z.string().meta({ description: '`local`, the URL, `ssh:…`, `tunnel:<id>` or `bucket:<url>`.' }),
  connector: z.string(),
  labels: Labels,
  status: z.enum(['online', 'offline', 'never_seen']),
  since: Time.nullable().meta({ description: 'Since when it has that status.' }),
  reason: z.string().nullable().meta({ description: 'Why it is offline.' }),
  lastSeenAt: Time.nullable(),
  info: HostInfo.nullable().meta({ description: 'What it last said of itself.' }),
})
export type HostRow = z.output<typeof HostRow>

export const listHosts = operation({
  kind: 'call',
  name: 'fleet.hosts',
  summary: 'Every host the hub knows, `local` first. Asks nobody: the status is that of the link.',
  input: z.strictObject({}),
  output: z.object({ hosts: z.array(HostRow), corrupt: z.array(z.object({ file: z.string(), problem: z.string() })) }),
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
  output: HostRow,
  errors: ['host.unknown'],
  scope: 'read',
  deferrable: false,
  http: 'GET /hosts/:host',
})

export const removeHost = operation({
  kind: 'call',
  name: 'fleet.remove',
  summary: 'Forgets a host, revokes its credential and closes its link. Refused while it has live runs, unless forced.',
  input: z.strictObject({ host: HostRef, force: Flag.default(false) }),
  output: z.object({ removed: z.string() }),
  errors: ['host.unknown', 'host.local_stays', 'host.busy'],
  scope: 'admin',
  deferrable: false,
  http: 'DELETE /hosts/:host',
})

export const enrollNode = operation({
  kind: 'call',
  name: 'node.enroll',
  summary: 'Makes a record for a host that will dial in, and mints its one-time token. The token is shown this once.',
  input: z.strictObject({
    name: HostName,
    labels: Labels.default({}),
    hubUrl: z
      .url({ protocol: /^wss?$/ })
      .optional()
      .meta({ description: "The address the host will dial; default: this hub's own." }),
  }),
  output: z.object({
    host: z.string(),
    name: z.string(),
    token: z.string(),
    hubUrl: z.string(),
    command: z.string(),
    commandStdin: z.string(),
  }),
  errors: ['host.name_taken', 'link.insecure'],
  scope: 'admin',
  deferrable: false,
  http: 'POST /hosts/tunnel',
})
