// What a host asks of its keeper, over the unix socket in its home. Nobody else speaks it, so it is not part of the contract.

import { z } from 'zod'
import { Flag } from '../../contract/names.ts'
import { operation } from '../../contract/operation.ts'
import { maxFrameCap } from '../../wire/limits.ts'
import { ProcessIdentity } from '../process-identity.ts'
import { ExitRecord } from './exit-record.ts'
import { Trace } from './trace.ts'

/** A command line and its environment may come to megabytes; it is one message. */
export const keeperLimits = { maxFrame: maxFrameCap }

/** Names a process and its directory below the host's home: `runs/RUN` or `procs/NAME.GENERATION`. */
const ProcessId = z.string().regex(/^(runs|procs)\/[A-Za-z0-9][A-Za-z0-9_.-]*$/)

export const SpawnRequest = z.strictObject({
  id: ProcessId,
  argv: z.array(z.string()).min(1),
  cwd: z.string(),
  env: z.record(z.string(), z.string()),
  stdin: z.enum(['none', 'open']),
})
export type SpawnRequest = z.output<typeof SpawnRequest>

export const spawnProcess = operation({
  kind: 'call',
  name: 'keeper.spawn',
  summary: 'Starts a process, unless one was ever started under this id; answers what is known of it either way.',
  input: SpawnRequest,
  output: z.object({ trace: Trace, held: z.boolean().meta({ description: 'Whether this keeper holds it now.' }) }),
  errors: ['proc.keeper'],
  scope: 'operate',
  deferrable: false,
  http: 'POST /keeper/spawn',
})

const GroupSignal = z.enum(['SIGTERM', 'SIGKILL', 'SIGSTOP', 'SIGCONT'])
export type GroupSignal = z.output<typeof GroupSignal>

export const signalProcess = operation({
  kind: 'call',
  name: 'keeper.signal',
  summary: 'Signals the whole group of a process that this keeper holds; one that has ended is left alone.',
  input: z.strictObject({ id: ProcessId, signal: GroupSignal }),
  output: z.object({ signalled: z.boolean() }),
  errors: [],
  scope: 'operate',
  deferrable: false,
  http: 'POST /keeper/signal',
})

export const writeProcessStdin = operation({
  kind: 'upload',
  name: 'keeper.stdin',
  summary: 'Writes standard input from a byte offset on; what was written before is skipped.',
  input: z.strictObject({ id: ProcessId, run: z.string(), offset: z.int().nonnegative(), end: Flag }),
  output: z.object({ written: z.int().nonnegative() }),
  errors: ['run.stdin_closed', 'run.stdin_gap'],
  scope: 'operate',
  deferrable: false,
  http: 'POST /keeper/stdin',
})

export const followProcesses = operation({
  kind: 'items',
  name: 'keeper.follow',
  summary: 'First each process that this keeper holds, then `current`, then each end as it happens.',
  input: z.strictObject({}),
  output: z.discriminatedUnion('type', [
    z.object({ type: z.literal('held'), id: ProcessId, identity: ProcessIdentity }),
    z.object({ type: z.literal('current') }),
    z.object({ type: z.literal('ended'), id: ProcessId, record: ExitRecord }),
  ]),
  errors: [],
  scope: 'operate',
  deferrable: false,
  http: 'GET /keeper/processes',
})
