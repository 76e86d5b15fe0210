// What a case is. Its assertions are the same for every connector: it asks the hub, and names the host, and knows no more.

import type { Subject } from './subject.ts'

/**
 * What a connector must be for a case to make sense. Where it is not, the case is skipped for that reason.
 * `interactive`: what is sent arrives while somebody waits. `mirrored`: its runs are read from a copy while it is away. `apart`: the host
 * is not the hub's own process.
 */
export type Need = 'interactive' | 'mirrored' | 'apart'

export interface Case {
  readonly name: string
  readonly needs?: readonly Need[]
  readonly check: (subject: Subject) => Promise<void>
}

export interface CaseGroup {
  readonly title: string
  /** `together`: its cases disturb nobody. `in turn`: each has hub and host for itself, and leaves them whole. */
  readonly how: 'together' | 'in turn'
  readonly cases: readonly Case[]
}
