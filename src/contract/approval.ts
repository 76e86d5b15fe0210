// Approvals: a command that must not run before a person has said yes. The host asks and is the one that decides what an answer is
// worth; a hub reads what its hosts ask, shows it to people and carries their answers back.

import { z } from 'zod'
import { Flag, HostRef, listOf, Time } from './names.ts'
import { operation } from './operation.ts'

/**
 * The states of an approval and which may follow which. `pending` is its host's to end: by an answer, at its expiry (`timeout`), or when
 * nobody can answer or nobody waits any more (`unavailable`, which is not a denial). All others are final.
 */
export const approvalStates = {
  pending: ['approved', 'approved_session', 'denied', 'timeout', 'unavailable'],
  approved: [],
  approved_session: [],
  denied: [],
  timeout: [],
  unavailable: [],
} as const satisfies Record<string, readonly string[]>

export const ApprovalState = z.enum(['pending', 'approved', 'approved_session', 'denied', 'timeout', 'unavailable'])
export type ApprovalState = z.output<typeof ApprovalState>

/** What a person can answer. */
export const Answer = z.enum(['approved', 'approved_session', 'denied'])
export type Answer = z.output<typeof Answer>

export const ApprovalId = z
  .string()
  .regex(/^apr_[0-9A-HJKMNP-TV-Z]{26}$/, 'an approval\'s id is "apr_" and 26 letters and digits')
  .meta({ description: 'An approval, as its host has named it.' })

const Digest = z.string().regex(/^[0-9a-f]{64}$/, 'a digest is 64 hexadecimal digits')

/** What a person says with an answer. */
const Reason = z.string().min(1).max(1_000)

/** Who somebody is, as the hub that lets him in says it: a token's id, the local socket. */
const Person = z.string().min(1).max(256)

/** The larger of these cannot be shown to a person, and so cannot be approved. */
export const largestQuestionCharacters = 256 * 1024

const PersonName = z.string().nullable()

/** Everything that will run, and for whom: an approval's digest is the SHA-256 of its canonical JSON. */
export const AskedToRun = z.strictObject({
  host: z.string().max(256).meta({ description: 'What the host calls itself.' }),
  hub: z.string().max(256).meta({ description: "Who asks the host: the fingerprint of a hub's key, or `hub` for its own." }),
  asker: Person.nullable().meta({ description: 'Who wants it run, as the hub says that let him in.' }),
  command: z.string().min(1).max(256),
  params: z.record(z.string(), z.unknown()),
  argv: z.array(z.string()).nullable().meta({ description: 'The argument list that they come to, where a program is run.' }),
  cwd: z.string().max(4096).nullable(),
  env: z.record(z.string().max(256), z.string().max(64)).meta({
    description: 'The variables that it is given, by name, each with a tag that changes with its value and does not tell it.',
  }),
  script: z
    .strictObject({ sha256: Digest, text: z.string() })
    .nullable()
    .meta({ description: 'The script that is given with it, whole.' }),
  session: z
    .string()
    .max(256)
    .nullable()
    .meta({ description: "As the asker names it: one asker's session is none of another's." }),
})
export type AskedToRun = z.output<typeof AskedToRun>

/** How an approval ended. */
const Resolution = z.object({
  at: Time,
  by: Person.nullable().meta({ description: "Who answered; null where nobody did, or another hub's people." }),
  reason: z.string().max(1_000).nullable(),
})
export type Resolution = z.output<typeof Resolution>

export const Approval = z.object({
  id: ApprovalId,
  state: ApprovalState,
  digest: Digest,
  asked: AskedToRun,
  reason: z.string().max(1_000).nullable().meta({ description: 'Why he wants it, in his words.' }),
  cause: z.string().max(1_000).meta({ description: 'Why the host asks.' }),
  createdAt: Time,
  expiresAt: Time,
  resolution: Resolution.nullable(),
})
export type Approval = z.output<typeof Approval>

/** What became of a question, for who has asked it. */
export interface ApprovalOutcome {
  readonly outcome: Exclude<ApprovalState, 'pending'>
  readonly reason?: string
  readonly by?: string
}

export const followApprovals = operation({
  kind: 'items',
  name: 'approval.follow',
  numberedBy: 'position',
  summary: 'What this host asks the caller, each approval as it stands, in the order of its last change: what a hub reads.',
  input: z.strictObject({ after: z.coerce.number().int().nonnegative().default(0), follow: Flag.default(false) }),
  output: z.object({
    position: z.int().positive(),
    approval: Approval,
    remainingMs: z.int().nonnegative().meta({ description: "How long it may still be answered, by no clock but the host's." }),
  }),
  errors: [],
  scope: 'approve',
  deferrable: false,
  http: 'GET /approvals/changes',
})
export type ApprovalChange = z.output<typeof followApprovals.output>

export const resolveApproval = operation({
  kind: 'call',
  name: 'approval.resolve',
  summary:
    'Answers what this host asks. The digest says what was shown to who answers; another than the one asked for is refused.',
  input: z.strictObject({
    approval: ApprovalId,
    digest: Digest,
    outcome: Answer,
    reason: Reason.optional(),
    by: Person.optional().meta({
      description: 'Who answers, set by the hub that lets him in; whatever he says himself is not heard.',
    }),
  }),
  output: Approval,
  errors: ['approval.unknown', 'approval.resolved', 'approval.changed', 'approval.no_session', 'store.unavailable'],
  scope: 'approve',
  deferrable: true,
  http: 'POST /approvals/:approval/resolution',
})

export const forgetApproval = operation({
  kind: 'call',
  name: 'approval.forget',
  summary: 'Takes back what was approved for a session: the same is asked again.',
  input: z.strictObject({ approval: ApprovalId }),
  output: z.object({ taken: z.boolean().meta({ description: 'False: there was nothing left to take back.' }) }),
  errors: [],
  scope: 'approve',
  deferrable: true,
  http: 'DELETE /approvals/:approval/session',
})

/** An approval as a hub shows it: the host is the one over whose link it came. */
export const FleetApproval = Approval.extend({
  host: z.string().meta({ description: 'The host, by the name that it has at this hub.' }),
  hostId: z.string(),
  askerName: PersonName.meta({ description: 'What the token of who asks is called here, for people; the id is what counts.' }),
  resolution: Resolution.extend({
    byName: PersonName.meta({ description: 'What the token of who answered is called here, for people.' }),
  }).nullable(),
})
export type FleetApproval = z.output<typeof FleetApproval>

export const listApprovals = operation({
  kind: 'call',
  name: 'approval.list',
  summary: 'What hosts ask, newest first: what waits for an answer, or with `all` also what is over.',
  input: z.strictObject({
    host: HostRef.optional(),
    states: listOf(ApprovalState).optional(),
    all: Flag.default(false),
    limit: z.coerce.number().int().min(1).max(1000).default(100),
  }),
  output: z.object({ approvals: z.array(FleetApproval) }),
  errors: ['host.unknown'],
  scope: 'read',
  deferrable: false,
  http: 'GET /approvals',
})

export const showApproval = operation({
  kind: 'call',
  name: 'approval.show',
  summary: 'One approval, with everything that would run.',
  input: z.strictObject({ approval: ApprovalId }),
  output: FleetApproval,
  errors: ['approval.unknown'],
  scope: 'read',
  deferrable: false,
  http: 'GET /approvals/:approval',
})

const Answering = { approval: ApprovalId, digest: Digest.meta({ description: 'The digest of what was shown to who answers.' }) }

export const approveApproval = operation({
  kind: 'call',
  name: 'approval.approve',
  summary: 'Lets it run, once; with `session` also what has the same shape, for the same session.',
  input: z.strictObject({ ...Answering, session: Flag.default(false), reason: Reason.optional() }),
  output: FleetApproval,
  errors: ['approval.unknown', 'approval.resolved', 'approval.changed', 'approval.no_session', 'host.offline'],
  scope: 'approve',
  deferrable: false,
  http: 'POST /approvals/:approval/approve',
})

export const denyApproval = operation({
  kind: 'call',
  name: 'approval.deny',
  summary: 'Lets it not run, and says why to who has asked.',
  input: z.strictObject({ ...Answering, reason: Reason }),
  output: FleetApproval,
  errors: ['approval.unknown', 'approval.resolved', 'approval.changed', 'host.offline'],
  scope: 'approve',
  deferrable: false,
  http: 'POST /approvals/:approval/deny',
})

export const revokeApproval = operation({
  kind: 'call',
  name: 'approval.revoke',
  summary: 'Takes back what was approved for a session, at its host.',
  input: z.strictObject({ approval: ApprovalId }),
  output: z.object({ taken: z.boolean() }),
  errors: ['approval.unknown', 'host.offline'],
  scope: 'approve',
  deferrable: false,
  http: 'POST /approvals/:approval/revoke',
})

export const linkApproval = operation({
  kind: 'call',
  name: 'approval.link',
  summary: 'Makes a signed web link that answers this one approval once, for who has no terminal at hand. It is shown this once.',
  input: z.strictObject({
    approval: ApprovalId,
    url: z
      .url({ protocol: /^https?$/ })
      .max(1024)
      .optional()
      .meta({ description: "The address at which the phone reaches this hub; default: this hub's own." }),
    insecure: Flag.default(false).meta({ description: 'Also over http:// beyond this machine.' }),
  }),
  output: z.object({ url: z.string(), expiresAt: Time }),
  errors: ['approval.unknown', 'approval.resolved', 'link.insecure'],
  scope: 'approve',
  deferrable: false,
  http: 'POST /approvals/:approval/link',
})
