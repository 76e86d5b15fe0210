// Runs: what may be asked to run, the states a run goes through, and what a host can be asked about its runs.
// The table `runStates` is the only place that knows which state may follow which; host, mirror and dispatch all use it.

import { z } from 'zod'
import { ArtifactGlob, artifactLimits } from './artifact.ts'
import { Flag, HostRef, listOf, RunId, Time } from './names.ts'
import { operation } from './operation.ts'
import { RunKind } from './run-kind.ts'

const day = 24 * 60 * 60 * 1000

/**
 * A run's life. Who owns a state is who must move it on; each non-terminal state has a deadline, so nothing waits for ever.
 *
 *     queued ─▶ claimed ─▶ starting ─▶ running ─▶ stopping ─▶ succeeded | failed | cancelled | timed_out
 *                                       ▲ ▼         ▲
 *                                      paused ──────┘
 *
 * queued: in the hub's queue until a host is free or the submission expires. claimed: someone holds the lease to do it; a lapsed
 * lease goes back to queued. starting: the host accepted it durably. paused: held up where it was, while its timeout counts on.
 * stopping: asked to end, on the stop ladder. A process can end by itself at any moment, also while it is being stopped.
 */
export const runStates = {
  queued: { owner: 'hub', deadline: 'the submission expires', next: ['claimed', 'failed', 'cancelled'] },
  claimed: { owner: 'hub', deadline: 'the lease lapses', next: ['queued', 'starting', 'failed', 'cancelled'] },
  starting: { owner: 'host', deadline: 'the start timeout', next: ['running', 'stopping', 'failed', 'cancelled'] },
  running: { owner: 'host', deadline: "the run's timeout", next: ['paused', 'stopping', 'succeeded', 'failed'] },
  paused: {
    owner: 'host',
    deadline: "the run's timeout, which counts on",
    next: ['running', 'stopping', 'succeeded', 'failed'],
  },
  stopping: {
    owner: 'host',
    deadline: 'the last grace of the stop ladder',
    next: ['succeeded', 'failed', 'cancelled', 'timed_out'],
  },
  succeeded: { owner: 'nobody', deadline: 'none: terminal', next: [] },
  failed: { owner: 'nobody', deadline: 'none: terminal', next: [] },
  cancelled: { owner: 'nobody', deadline: 'none: terminal', next: [] },
  timed_out: { owner: 'nobody', deadline: 'none: terminal', next: [] },
} as const satisfies Record<string, { owner: 'hub' | 'host' | 'nobody'; deadline: string; next: readonly string[] }>

export type RunState = keyof typeof runStates
export const RunState = z.enum(Object.keys(runStates) as [RunState, ...RunState[]])

export function mayFollow(from: RunState, to: RunState): boolean {
  return (runStates[from].next as readonly RunState[]).includes(to)
}

export function isTerminal(state: RunState): boolean {
  return runStates[state].next.length === 0
}

const CommandSpec = z.strictObject({
  kind: z.literal('command'),
  argv: z
    .array(z.string().max(128 * 1024))
    .min(1)
    .max(4096)
    .refine((argv) => argv[0] !== '', "the program's name is empty")
    .refine((argv) => argv.every((arg) => !arg.includes('\0')), 'an argument holds a NUL byte')
    .meta({ description: 'Program and arguments; never read by a shell. A shell line is argv ["/bin/sh", "-c", LINE].' }),
  cwd: z
    .string()
    .max(4096)
    .optional()
    .meta({ description: "Working directory; default: the home directory of the node's account." }),
  env: z
    .record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, "not a variable's name"), z.string().max(128 * 1024))
    .default({})
    .meta({ description: 'Variables given to the command, on top of the few that it inherits (docs/security.md).' }),
  stdin: z.enum(['none', 'open']).default('none').meta({ description: '`open` keeps standard input open for run.stdin.' }),
  // Without a default: a spec that names none is the same spec, to the letter, as for a host that knows of none.
  artifacts: z
    .array(ArtifactGlob)
    .max(artifactLimits.globs)
    .optional()
    .meta({ description: 'Files to keep with the run once the command has ended, however it ended.' }),
  timeoutMs: z
    .int()
    .min(1)
    .max(30 * day)
    .default(day),
})

const WorkflowSpec = z.strictObject({
  kind: z.literal('workflow'),
  file: z.string().max(4096).meta({ description: 'Its file name, for messages.' }),
  source: z
    .string()
    .max(512 * 1024)
    .meta({ description: 'The YAML text.' }),
  inputs: z.record(z.string(), z.unknown()).default({}),
  host: HostRef.optional().meta({ description: 'Where steps run that name no host; default local.' }),
  cwd: z.string().max(4096).optional().meta({ description: 'Working directory of steps that name none.' }),
  timeoutMs: z
    .int()
    .min(1)
    .max(30 * day)
    .default(day),
})

/** What is to run. The same id with the same spec is the same run. */
export const RunSpec = z.discriminatedUnion('kind', [CommandSpec, WorkflowSpec])
export type RunSpec = z.output<typeof RunSpec>
export type RunSpecInput = z.input<typeof RunSpec>
export type CommandSpec = z.output<typeof CommandSpec>
export type WorkflowSpec = z.output<typeof WorkflowSpec>

/** A run in one short line, for lists: its command line or its workflow's file, at most 120 characters. */
export function runTitle(spec: RunSpec): string {
  const text = spec.kind === 'command' ? spec.argv.join(' ') : spec.file
  const line = text.replace(/[\s\p{Cc}]+/gu, ' ').trim()
  return line.length > 120 ? `${line.slice(0, 119)}…` : line
}

/** How a process ended: by its code or by a signal; both null when nobody saw it (its keeper was killed too). */
export const Exit = z.object({ code: z.int().nullable(), signal: z.string().nullable() })
export type Exit = z.output<typeof Exit>

export const ErrorValue = z.object({ code: z.string(), message: z.string(), hint: z.string(), retryable: z.boolean() })

/** A unit's or step's place in the workflow that asked for it. */
export const RunParent = z.object({ run: RunId, step: z.string(), index: z.int().nonnegative().optional() })

export const Run = z.object({
  id: RunId,
  host: z.string().meta({ description: "The host's name at the hub that answers." }),
  kind: RunKind,
  state: RunState,
  title: z.string().meta({ description: "The command line or the workflow's name, shortened, for lists." }),
  parent: RunParent.nullable(),
  createdAt: Time,
  startedAt: Time.nullable(),
  endedAt: Time.nullable(),
  pid: z.int().nullable(),
  exit: Exit.nullable(),
  error: ErrorValue.nullable(),
  output: z
    .object({ stdout: z.int().nonnegative(), stderr: z.int().nonnegative() })
    .meta({ description: 'Bytes written so far; final once the run has ended.' }),
  lastEvent: z.int().nonnegative(),
  unreachableSince: Time.nullable().meta({
    description: "Set while the run's host cannot be reached: the run goes on, this is what was last known.",
  }),
})
export type Run = z.output<typeof Run>

const ById = z.strictObject({ run: RunId })

export const startRun = operation({
  kind: 'call',
  name: 'run.start',
  summary: 'Starts a run on this host. Idempotent by run id: the same spec again returns the same run.',
  input: z.strictObject({
    run: RunId,
    spec: RunSpec,
    parent: RunParent.nullable().default(null),
    fence: z
      .int()
      .nonnegative()
      .default(0)
      .meta({ description: "The claim's fencing number; a lower one than seen before is refused." }),
  }),
  output: Run,
  errors: ['run.conflict', 'run.kind_unsupported', 'policy.denied', 'claim.lost', 'host.not_ready', 'host.stopped'],
  scope: 'operate',
  deferrable: true,
  http: 'POST /runs',
})

export const getRun = operation({
  kind: 'call',
  name: 'run.get',
  summary: 'One run as it stands.',
  input: ById,
  output: Run,
  errors: ['run.unknown'],
  scope: 'read',
  deferrable: false,
  http: 'GET /runs/:run',
})

export const listRuns = operation({
  kind: 'call',
  name: 'run.list',
  summary: "A host's runs, newest first.",
  input: z.strictObject({
    states: listOf(RunState).optional(),
    kind: RunKind.optional(),
    parent: RunId.optional(),
    before: z.string().optional().meta({ description: 'Cursor from an earlier page: only runs older than it.' }),
    limit: z.coerce.number().int().min(1).max(1000).default(50),
  }),
  output: z.object({ runs: z.array(Run), next: z.string().nullable() }),
  errors: [],
  scope: 'read',
  deferrable: false,
  http: 'GET /runs',
})

export const cancelRun = operation({
  kind: 'call',
  name: 'run.cancel',
  summary:
    'Asks a run to end: SIGTERM to its group, then SIGKILL after the grace. Answers once that is durable, not once it has ended.',
  input: z.strictObject({ run: RunId, graceMs: z.int().min(0).max(600_000).default(10_000) }),
  output: Run,
  errors: ['run.unknown', 'run.ended'],
  scope: 'operate',
  deferrable: true,
  http: 'POST /runs/:run/cancel',
})

export const pauseRun = operation({
  kind: 'call',
  name: 'run.pause',
  summary: 'Holds a running command up: SIGSTOP to its group. Its timeout counts on. A paused one stays as it is.',
  input: ById,
  output: Run,
  errors: ['run.unknown', 'run.ended', 'run.transition', 'run.cannot_pause'],
  scope: 'operate',
  deferrable: true,
  http: 'POST /runs/:run/pause',
})

export const resumeRun = operation({
  kind: 'call',
  name: 'run.resume',
  summary: 'Lets a paused command go on: SIGCONT to its group. A running one stays as it is.',
  input: ById,
  output: Run,
  errors: ['run.unknown', 'run.ended', 'run.transition', 'run.cannot_pause'],
  scope: 'operate',
  deferrable: true,
  http: 'POST /runs/:run/resume',
})

export const writeStdin = operation({
  kind: 'upload',
  name: 'run.stdin',
  summary: 'Writes standard input from a byte offset on. What was written before is skipped, so a repeat is harmless.',
  input: z.strictObject({
    run: RunId,
    offset: z.coerce.number().int().nonnegative().default(0),
    end: Flag.default(true).meta({ description: 'Close standard input after these bytes.' }),
  }),
  output: z.object({ written: z.int().nonnegative().meta({ description: 'Bytes written in all.' }) }),
  errors: ['run.unknown', 'run.ended', 'run.stdin_closed', 'run.stdin_gap', 'policy.denied'],
  scope: 'operate',
  deferrable: false,
  http: 'POST /runs/:run/stdin',
})
