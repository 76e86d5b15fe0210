// A run's events: its append-only log, numbered from 1 without gaps. A run's row is nothing but the fold of its events,
// so the host that writes them and the hub that mirrors them cannot disagree.

import { z } from 'zod'
import { ArtifactKept, ArtifactRefused } from './artifact.ts'
import { failure } from './errors.ts'
import { Flag, RunId, Time } from './names.ts'
import { operation } from './operation.ts'
import { ErrorValue, Exit, isTerminal, mayFollow, type Run, RunParent, RunState } from './run.ts'
import { RunKind } from './run-kind.ts'

const Accepted = z.object({
  type: z.literal('accepted'),
  kind: RunKind,
  title: z.string(),
  parent: RunParent.nullable(),
})
const StateChanged = z.object({
  type: z.literal('state'),
  state: RunState,
  pid: z.int().optional(),
  exit: Exit.optional(),
  error: ErrorValue.optional(),
  reason: z.enum(['cancel', 'timeout', 'shutdown']).optional(),
  graceMs: z.int().nonnegative().optional().meta({ description: 'With `stopping`: how long it has before SIGKILL.' }),
  output: z.object({ stdout: z.int(), stderr: z.int() }).optional().meta({ description: 'Final sizes, when the run has ended.' }),
})
const StepStarted = z.object({ type: z.literal('step.started'), step: z.string(), units: z.int().nonnegative() })
const UnitStarted = z.object({
  type: z.literal('unit.started'),
  step: z.string(),
  index: z.int().nonnegative(),
  item: z.string(),
  host: z.string(),
  run: RunId,
})
const UnitEnded = z.object({
  type: z.literal('unit.ended'),
  step: z.string(),
  index: z.int().nonnegative(),
  item: z.string(),
  host: z.string(),
  run: RunId,
  state: RunState,
  exit: Exit.nullable(),
  error: ErrorValue.nullable(),
  durationMs: z.int().nonnegative(),
  stdout: z.string().meta({ description: 'What later steps may use of its output: the first 64 KiB, as text.' }),
  stdoutCut: z.boolean().optional().meta({ description: 'True when the output was longer than `stdout`.' }),
})
const StepEnded = z.object({
  type: z.literal('step.ended'),
  step: z.string(),
  state: z.enum(['succeeded', 'failed', 'skipped', 'cancelled']),
  reason: z.string().optional(),
})

/** The part of an event that says what happened; number and time are added by the log that takes it. */
export const EventBody = z.discriminatedUnion('type', [
  Accepted,
  StateChanged,
  ArtifactKept,
  ArtifactRefused,
  StepStarted,
  UnitStarted,
  UnitEnded,
  StepEnded,
])
export type EventBody = z.output<typeof EventBody>

const Numbered = { seq: z.int().positive(), at: Time }
export const RunEvent = z.discriminatedUnion('type', [
  Accepted.extend(Numbered),
  StateChanged.extend(Numbered),
  ArtifactKept.extend(Numbered),
  ArtifactRefused.extend(Numbered),
  StepStarted.extend(Numbered),
  UnitStarted.extend(Numbered),
  UnitEnded.extend(Numbered),
  StepEnded.extend(Numbered),
])
export type RunEvent = z.output<typeof RunEvent>

/**
 * The run after one more event; `before` is undefined for the first, which is `accepted` and makes the run `starting`.
 * Throws `run.transition` for a step that the table does not allow: the log's writer then refuses the event.
 */
export function applyEvent(before: Run | undefined, address: { host: string; run: string }, event: RunEvent): Run {
  if (event.type === 'accepted') {
    // Accepting it again would lead out of whatever it has come to.
    if (before) throw failure('run.transition', { run: address.run, from: before.state, to: 'starting' })
    return {
      id: address.run,
      host: address.host,
      kind: event.kind,
      state: 'starting',
      title: event.title,
      parent: event.parent,
      createdAt: event.at,
      startedAt: null,
      endedAt: null,
      pid: null,
      exit: null,
      error: null,
      output: { stdout: 0, stderr: 0 },
      lastEvent: event.seq,
      unreachableSince: null,
    }
  }
  if (!before) throw failure('run.unknown', { run: address.run })
  const run = { ...before, lastEvent: event.seq }
  if (event.type !== 'state') return run
  if (!mayFollow(before.state, event.state)) {
    throw failure('run.transition', { run: address.run, from: before.state, to: event.state })
  }
  return {
    ...run,
    state: event.state,
    startedAt: event.state === 'running' ? (run.startedAt ?? event.at) : run.startedAt,
    endedAt: isTerminal(event.state) ? event.at : null,
    pid: event.pid ?? run.pid,
    exit: event.exit ?? run.exit,
    error: event.error ?? run.error,
    output: event.output ?? run.output,
  }
}

export const followEvents = operation({
  kind: 'items',
  name: 'run.events',
  numberedBy: 'seq',
  summary: "A run's events after a number; with `follow`, also those to come, until the run has ended.",
  input: z.strictObject({
    run: RunId,
    after: z.coerce.number().int().nonnegative().default(0),
    follow: Flag.default(false),
  }),
  output: RunEvent,
  errors: ['run.unknown'],
  scope: 'read',
  deferrable: false,
  http: 'GET /runs/:run/events',
})

export const followJournal = operation({
  kind: 'items',
  name: 'host.journal',
  numberedBy: 'position',
  summary: 'Every event of every run of this host, in one numbering: what a mirror reads, resuming after its last position.',
  input: z.strictObject({ after: z.coerce.number().int().nonnegative().default(0), follow: Flag.default(false) }),
  output: z.object({ position: z.int().positive(), run: RunId, event: RunEvent }),
  errors: [],
  scope: 'read',
  deferrable: false,
  http: 'GET /journal',
})
export type JournalEntry = z.output<typeof followJournal.output>
