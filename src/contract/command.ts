// Commands: what a host's catalog offers to who asks, and how one of its entries is invoked, on one host or on many.
// An invocation is a call: it lasts as long as somebody waits for it. What must outlive its caller is a run.

import { z } from 'zod'
import { LabelTest } from './label-test.ts'
import { CommandName, HostRef, listOf } from './names.ts'
import { operation } from './operation.ts'
import { ErrorValue } from './run.ts'

/** Deeper values are nobody's parameters or results, and everything that walks through them would need as deep a stack. */
const deepest = 64

export const nestedTooDeep = `it is nested more than ${deepest} deep`

const Params = z
  .record(z.string(), z.unknown())
  .refine((params) => !isTooDeep(params), nestedTooDeep)
  .meta({ description: "What the command is given; its catalog entry's `params` is the schema." })

const JsonSchema = z.record(z.string(), z.unknown())

export const CommandEntry = z.object({
  name: CommandName,
  description: z.string(),
  params: JsonSchema.meta({ description: 'JSON Schema 2020-12 of its parameters.' }),
  result: JsonSchema.meta({ description: 'JSON Schema 2020-12 of its result.' }),
  sensitive: z.boolean().meta({ description: 'A person is asked each time before it runs.' }),
  source: z.enum(['builtin', 'declared']),
  exposure: z
    .enum(['allow', 'ask'])
    .nullable()
    .meta({ description: 'What the host does when this caller invokes it; null where that depends on the parameters.' }),
})
export type CommandEntry = z.output<typeof CommandEntry>

/** A declared command whose file cannot be used; the others are served. */
const CorruptCommand = z.object({ file: z.string(), problem: z.string() })
export type CorruptCommand = z.output<typeof CorruptCommand>

export const listCommands = operation({
  kind: 'call',
  name: 'command.list',
  summary:
    "The host's commands as far as its policy exposes them to who asks, by name; and declared ones whose files cannot be used.",
  input: z.strictObject({}),
  output: z.object({ commands: z.array(CommandEntry), corrupt: z.array(CorruptCommand) }),
  errors: [],
  scope: 'read',
  deferrable: true,
  http: 'GET /commands',
})

/** What is invoked, wherever. */
const invocation = {
  command: CommandName,
  params: Params.default({}),
  key: z
    .string()
    .min(1)
    .max(256)
    .optional()
    .meta({ description: 'Makes a repeat harmless: the same key with the same request gets the same answer, for ten minutes.' }),
  session: z.string().min(1).max(128).optional().meta({ description: 'What belongs together: an approval may be given for it.' }),
  reason: z.string().max(1_000).optional().meta({ description: 'Why, for the person who may be asked.' }),
}

export const invokeCommand = operation({
  kind: 'call',
  name: 'command.invoke',
  summary:
    "Invokes a command of the host's catalog and answers with its result. Ends with its caller, unless a key says that the caller will ask again.",
  input: z.strictObject({
    ...invocation,
    asker: z
      .string()
      .min(1)
      .max(256)
      .optional()
      .meta({ description: 'Who asks, set by the hub that lets him in; whatever he says himself is not heard.' }),
  }),
  output: z.object({ result: z.unknown() }),
  reports: z.unknown().meta({ description: 'What the command says on its way, such as `{stream, text}` of its output.' }),
  errors: [
    'policy.denied',
    'host.untrusted',
    'approval.denied',
    'approval.timeout',
    'approval.unavailable',
    'approval.changed',
    'approval.too_large',
    'approval.too_many',
    'approval.too_often',
    'approval.own',
    'invoke.not_sent',
    'invoke.no_answer',
    'invoke.conflict',
    'invoke.busy',
    'command.failed',
    'command.result',
    'command.timed_out',
    'run.spawn_failed',
    'file.outside',
    'file.too_large',
    'file.unreadable',
    'file.unwritable',
    'file.exists',
    'host.not_ready',
    'host.stopped',
  ],
  scope: 'operate',
  deferrable: true,
  http: 'POST /commands/:command/invoke',
})

/** What one of several hosts says on its way. */
export const FleetProgress = z.object({ host: z.string(), value: z.unknown() })

const longestMs = 21 * 60_000

export const invokeOnFleet = operation({
  kind: 'call',
  name: 'fleet.invoke',
  summary: 'Invokes a command on several hosts at once. What happens to one is its own result; equal results are told once.',
  input: z.strictObject({
    hosts: listOf(HostRef).default([]),
    labels: listOf(LabelTest)
      .default([])
      .meta({ description: 'Hosts that pass all of these; beside `hosts`, those of them that do.' }),
    ...invocation,
    timeoutMs: z.int().min(1).max(longestMs).optional().meta({
      description: 'How long each host may take; without it 2 minutes, not counting the time in which a person is asked.',
    }),
  }),
  output: z.object({
    hosts: z.int().nonnegative(),
    failed: z.int().nonnegative(),
    groups: z
      .array(z.object({ hosts: z.array(z.string()), result: z.unknown(), error: ErrorValue.nullable() }))
      .meta({ description: 'Hosts of one result, by name; the groups by their first host.' }),
  }),
  reports: FleetProgress,
  errors: ['host.unknown', 'invoke.no_hosts'],
  scope: 'operate',
  deferrable: false,
  http: 'POST /invoke',
})

export function isTooDeep(value: unknown): boolean {
  return !isWithin(value, deepest)
}

function isWithin(value: unknown, depth: number): boolean {
  if (value === null || typeof value !== 'object') return true
  return depth > 0 && Object.values(value).every((one) => isWithin(one, depth - 1))
}
