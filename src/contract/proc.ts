// Procs: the supervised processes and in-process workers that a host owns, idempotent by name.
// A command run is carried by a proc too; these operations are for procs that answer calls over their backend channel.

import { z } from 'zod'
import { Flag, ProcName, Time } from './names.ts'
import { operation } from './operation.ts'
import { Exit } from './run.ts'

/** In this order: a waiter for `running` is satisfied by anything later. */
const procStatuses = ['absent', 'starting', 'running', 'stopping', 'stopped', 'failed'] as const
export const ProcStatus = z.enum(procStatuses)
export type ProcStatus = z.output<typeof ProcStatus>

/** The ways in which a host carries procs: as a child process with a group of its own, or in the host's own process. */
export const procManagers = ['process', 'local'] as const

export const ProcSpec = z.strictObject({
  argv: z.array(z.string()).min(1).meta({ description: 'A program that dials MUSTER_BACKEND and calls back when it is ready.' }),
  cwd: z.string().optional(),
  env: z.record(z.string(), z.string()).default({}),
  readyTimeoutMs: z.int().min(1).max(600_000).default(30_000),
})
export type ProcSpec = z.output<typeof ProcSpec>

export const ProcState = z.object({
  name: ProcName,
  manager: z.enum(procManagers),
  status: ProcStatus,
  generation: z.int().nonnegative(),
  pid: z.int().nullable(),
  startedAt: Time.nullable(),
  endedAt: Time.nullable(),
  exit: Exit.nullable(),
  stderrTail: z.string(),
})
export type ProcState = z.output<typeof ProcState>

const ByName = z.strictObject({ proc: ProcName })

export const applyProc = operation({
  kind: 'call',
  name: 'proc.apply',
  summary:
    'Makes a proc exist. The same spec for a live name changes nothing; an ended name starts anew. Answers without waiting for ready.',
  input: z.strictObject({ proc: ProcName, spec: ProcSpec }),
  output: ProcState,
  errors: ['proc.conflict', 'policy.denied', 'host.not_ready', 'host.stopped'],
  scope: 'operate',
  deferrable: false,
  http: 'PUT /procs/:proc',
})

export const stopProc = operation({
  kind: 'call',
  name: 'proc.stop',
  summary: 'Asks a proc to stop: by its channel, then SIGTERM, then SIGKILL. A name that never was answers `absent`.',
  input: z.strictObject({ proc: ProcName, graceMs: z.int().min(0).max(600_000).default(10_000) }),
  output: ProcState,
  errors: [],
  scope: 'operate',
  deferrable: false,
  http: 'POST /procs/:proc/stop',
})

export const getProc = operation({
  kind: 'call',
  name: 'proc.state',
  summary: 'A proc as it stands; a name that never was answers `absent`.',
  input: ByName,
  output: ProcState,
  errors: [],
  scope: 'read',
  deferrable: false,
  http: 'GET /procs/:proc',
})

export const listProcs = operation({
  kind: 'call',
  name: 'proc.list',
  summary: "The host's procs, the built-in `service` and `local` among them.",
  input: z.strictObject({ all: Flag.default(false).meta({ description: 'Ended ones too.' }) }),
  output: z.object({ procs: z.array(ProcState) }),
  errors: [],
  scope: 'read',
  deferrable: false,
  http: 'GET /procs',
})

export const callProc = operation({
  kind: 'call',
  name: 'proc.call',
  summary: "Routes one message through the host's front door to a proc's own channel and answers what it answers.",
  input: z.strictObject({ proc: ProcName, method: z.string().min(1).max(256), params: z.unknown() }),
  output: z.unknown(),
  errors: ['proc.unknown', 'proc.ended', 'proc.not_ready', 'policy.denied'],
  scope: 'operate',
  deferrable: false,
  http: 'POST /procs/:proc/call',
})
