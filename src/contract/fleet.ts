// What only a hub can be asked: runs over the whole fleet, submissions through its queue, itself.

import { z } from 'zod'
import { Flag, HostRef, listOf, RunId, Time } from './names.ts'
import { operation } from './operation.ts'
import { Run, RunParent, RunSpec, RunState } from './run.ts'
import { RunKind } from './run-kind.ts'

/** A host that could not be asked for its part of an answer; the rest is intact. */
const Unanswered = z.object({ host: z.string(), reason: z.string(), since: Time.nullable() })

export const submitRun = operation({
  kind: 'call',
  name: 'fleet.submit',
  summary: 'Puts a run in the queue and answers once that is durable. The same key with the same request returns the same run.',
  input: z.strictObject({
    host: HostRef.default('local'),
    spec: RunSpec,
    run: RunId.optional(),
    key: z.string().min(1).max(256).optional().meta({ description: 'Submission key: makes a repeat harmless.' }),
    parent: RunParent.nullable().default(null),
    queue: Flag.default(false).meta({ description: 'Wait for a host that is offline, instead of an error at once.' }),
    expiresInMs: z
      .int()
      .min(1000)
      .max(30 * 24 * 3600 * 1000)
      .default(24 * 3600 * 1000)
      .meta({ description: 'How long it may wait in the queue.' }),
  }),
  output: Run,
  errors: ['host.unknown', 'host.offline', 'run.conflict', 'workflow.invalid', 'workflow.input', 'store.unavailable'],
  scope: 'operate',
  deferrable: false,
  http: 'POST /runs',
})

export const listFleetRuns = operation({
  kind: 'call',
  name: 'fleet.runs',
  summary: 'Runs of all hosts or one, newest first. A host that does not answer within the deadline is named, not waited for.',
  input: z.strictObject({
    host: HostRef.optional(),
    states: listOf(RunState).optional(),
    kind: RunKind.optional(),
    parent: RunId.optional(),
    before: z.string().max(512).optional(),
    limit: z.coerce.number().int().min(1).max(1000).default(50),
    deadlineMs: z.coerce.number().int().min(50).max(60_000).default(2_000),
  }),
  output: z.object({ runs: z.array(Run), next: z.string().nullable(), unanswered: z.array(Unanswered) }),
  errors: ['host.unknown'],
  scope: 'read',
  deferrable: false,
  http: 'GET /runs',
})

export const findRun = operation({
  kind: 'call',
  name: 'fleet.run',
  summary: 'A run by its id alone: which host has it, and how it stands.',
  input: z.strictObject({ run: RunId }),
  output: Run,
  errors: ['run.unknown'],
  scope: 'read',
  deferrable: false,
  http: 'GET /runs/:run',
})

export const getHubInfo = operation({
  kind: 'call',
  name: 'hub.info',
  summary: 'The hub itself: version, label, addresses, key.',
  input: z.strictObject({}),
  output: z.object({
    id: z.string(),
    label: z.string(),
    version: z.string(),
    protocol: z.int(),
    key: z.string().meta({ description: 'Fingerprint of its Ed25519 key.' }),
    urls: z.array(z.string()),
    pin: z.string().optional().meta({
      description: 'What its https:// address can be trusted by, where TLS ends there and the systems of others do not trust it.',
    }),
    startedAt: Time,
    store: z.enum(['sqlite', 'postgres']),
    pid: z.int(),
  }),
  errors: [],
  scope: 'read',
  deferrable: false,
  http: 'GET /hub',
})
