// The tables as the newest migration leaves them: one schema for both engines. Times are ISO 8601 text, JSON is text,
// booleans are 0 or 1. What a column means is told by the file of its aggregate.

import type { Generated } from 'kysely'

export interface Tables {
  run: RunTable
  event: EventTable
  journal: JournalTable
  job: JobTable
  token: TokenTable
  node: NodeTable
  pairing: PairingTable
  certificate: CertificateTable
  health: HealthTable
  probe: ProbeTable
  fleet_event: FleetEventTable
  event_cursor: EventCursorTable
  approval: ApprovalTable
  approval_cursor: ApprovalCursorTable
  approval_link: ApprovalLinkTable
  audit: AuditTable
  audit_head: AuditHeadTable
}

/** The fold of a run's events, by (host, id). A host's own runs have a spec; mirrored ones do not. */
export interface RunTable {
  host: string
  id: string
  kind: string
  state: string
  title: string
  parent: string | null
  parent_run: string | null
  spec: string | null
  fence: number
  created_at: string
  started_at: string | null
  ended_at: string | null
  pid: number | null
  exit: string | null
  error: string | null
  stdout: number
  stderr: number
  last_event: number
  /** Mirrors only: 1 once all of its output, and its artifacts, have been copied here. */
  output_whole: Generated<number>
}

export interface EventTable {
  host: string
  run: string
  seq: number
  /** Its number in the host's journal. */
  position: number
  at: string
  body: string
}

/** How far a host's journal goes here: the last position given out, or for a mirror the last one taken in. */
export interface JournalTable {
  host: string
  position: number
}

export interface JobTable {
  run: string
  host: string
  key: string | null
  fingerprint: string
  spec: string
  kind: string
  parent: string | null
  parent_run: string | null
  title: string
  state: string
  run_state: string
  fence: number
  owner: string | null
  lease_until: string | null
  queue: number
  created_at: string
  expires_at: string
  started_at: string | null
  ended_at: string | null
  error: string | null
}

export interface TokenTable {
  id: string
  name: string
  role: string
  sha256: string
  created_at: string
  last_used_at: string | null
  revoked_at: string | null
  expires_at: string | null
  created_by: string | null
}

export interface NodeTable {
  host: string
  token_sha256: string
  public_key: string | null
  created_at: string
  enrolled_at: string | null
}

export interface PairingTable {
  host: string
  approved_at: string
  approved_by: string
  refused: string
}

export interface CertificateTable {
  fingerprint: string
  host: string
  authority: string
  issued_at: string
  expires_at: string
  installed_at: string | null
}

export interface HealthTable {
  host: string
  last_seen_at: string
  info: string | null
}

export interface ProbeTable {
  id: number
  at: string
}

export interface FleetEventTable {
  position: number
  at: string
  topic: string
  host: string | null
  name: string | null
  data: string
}

export interface EventCursorTable {
  source: string
  position: number
}

/** What a host asks people. `asked` is what its digest is of; `answer` is a hub's own note of who has answered last. */
export interface ApprovalTable {
  id: string
  host: string
  /** The number of its last change among those of its host. */
  position: number
  state: string
  digest: string
  asked: string
  /** Who is asked: the host's own name for the hub. */
  hub: string
  asker: string | null
  reason: string | null
  cause: string
  created_at: string
  expires_at: string
  /** A host's own: when what was approved was begun. */
  spent_at: string | null
  resolution: string | null
  answer: string | null
}

/** How far a host's approvals go here: the last position given out, or at a hub the last one taken in. */
export interface ApprovalCursorTable {
  host: string
  position: number
}

export interface ApprovalLinkTable {
  id: string
  approval: string
  minted_by: string
  created_at: string
  expires_at: string
  used_at: string | null
}

/** Written once and never changed; `hash` covers the row before and every other column. */
export interface AuditTable {
  n: number
  at: string
  actor_kind: string
  actor_id: string
  actor_role: string
  actor_name: string | null
  action: string
  host: string | null
  subject: string | null
  decision: string
  why: string | null
  digest: string | null
  detail: string | null
  hash: string
}

/** The newest entry, in one row: who appends updates it first, so that two writers cannot both follow the same entry. */
export interface AuditHeadTable {
  id: number
  n: number
  hash: string
}
