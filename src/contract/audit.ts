// The audit log: what was asked of a hub or a host, by whom, and what was decided. Entries are chained by their hashes
// (docs/audit.md). No entry holds a secret or a parameter's value.

import { z } from 'zod'
import { HostRef, Time } from './names.ts'
import { operation } from './operation.ts'

/** Who asked; `stranger` is one that could not say who it is, known by its address. */
const Actor = z.strictObject({
  kind: z.enum(['user', 'hub', 'node', 'proc', 'self', 'stranger']),
  id: z.string(),
  role: z.string(),
  name: z.string().nullable().meta({ description: 'What its token was called then.' }),
})

export const AuditDecision = z.enum(['allowed', 'denied', 'asked', 'timeout', 'unavailable'])
export type AuditDecision = z.output<typeof AuditDecision>

const Hash = z.string().regex(/^[0-9a-f]{64}$/, 'it is not a SHA-256 in hex')

export const AuditEntry = z.strictObject({
  n: z.int().positive().meta({ description: 'Its number, from 1 without gaps.' }),
  at: Time,
  actor: Actor,
  action: z.string().meta({ description: "The operation's name, or what else happened, dotted." }),
  host: z.string().nullable().meta({ description: 'Id of the host that it was about.' }),
  subject: z.string().nullable().meta({ description: 'The run, proc, command, token… that it was about.' }),
  decision: AuditDecision,
  why: z.string().nullable().meta({ description: "A refusal's code." }),
  digest: z.string().nullable().meta({ description: 'Of an approval: SHA-256 of what it was bound to.' }),
  detail: z.record(z.string(), z.unknown()).nullable(),
  hash: Hash.meta({ description: 'SHA-256 over the hash before it, a newline, and the canonical JSON of the other fields.' }),
})
export type AuditEntry = z.output<typeof AuditEntry>

/** What is recorded; number, time and hash come by themselves. */
export interface NewAuditEntry extends Partial<Pick<AuditEntry, 'host' | 'subject' | 'why' | 'digest' | 'detail'>> {
  readonly actor: Omit<AuditEntry['actor'], 'name'> & { readonly name?: string | null }
  readonly action: string
  readonly decision: AuditDecision
}

/** An entry that people keep elsewhere, `NUMBER:HASH`: a log that ends before it, or has another one there, is not the same any more. */
export const AuditHead = z
  .string()
  .regex(/^[1-9]\d{0,14}:[0-9a-f]{64}$/, 'it is written NUMBER:HASH, as `muster audit verify` prints it')

/** What is wrong with the first entry that is not as it was written. */
export const AuditFault = z.object({ n: z.int().positive(), why: z.string() })
export type AuditFault = z.output<typeof AuditFault>

export const listAudit = operation({
  kind: 'call',
  name: 'audit.list',
  summary: 'What was decided, newest first.',
  input: z.strictObject({
    actor: z.string().max(128).optional().meta({ description: "A token's id or name, `local-socket`, or a stranger's address." }),
    action: z.string().max(128).optional().meta({ description: 'Such as `run.start`; `token.*` for all that begin so.' }),
    host: HostRef.optional(),
    decision: AuditDecision.optional(),
    since: Time.optional(),
    until: Time.optional(),
    before: z.coerce.number().int().positive().optional().meta({ description: "Only older ones: an earlier page's `next`." }),
    limit: z.coerce.number().int().min(1).max(1000).default(50),
  }),
  output: z.object({ entries: z.array(AuditEntry), next: z.int().nullable() }),
  errors: [],
  scope: 'admin',
  deferrable: false,
  http: 'GET /audit',
})

export const verifyAudit = operation({
  kind: 'call',
  name: 'audit.verify',
  summary: 'Computes every hash of the log again, and names the first entry that is not as it was written.',
  input: z.strictObject({
    head: AuditHead.optional().meta({ description: 'A head that was kept elsewhere; it must be part of the log.' }),
  }),
  output: z.object({
    entries: z.int().nonnegative(),
    ok: z.boolean(),
    firstBad: AuditFault.nullable(),
    head: z
      .string()
      .nullable()
      .meta({ description: 'The newest entry, `NUMBER:HASH`: keep it elsewhere. Null for an empty log.' }),
  }),
  errors: [],
  scope: 'admin',
  deferrable: false,
  http: 'GET /audit/verify',
})

export const exportAudit = operation({
  kind: 'bytes',
  name: 'audit.export',
  summary: 'The log as JSON lines, oldest first, for `muster audit verify --file`.',
  input: z.strictObject({
    after: z.coerce.number().int().nonnegative().default(0).meta({ description: 'Only entries after this number.' }),
  }),
  output: AuditEntry,
  errors: [],
  scope: 'admin',
  deferrable: false,
  http: 'GET /audit/export',
})
