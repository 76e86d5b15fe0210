// Whom an invocation that has to be approved is put to. How people are asked, and their answers kept, is not known here.

import { failure } from '../../contract/errors.ts'
import type { Principal } from '../../contract/implementation.ts'
import type { Shown } from './command.ts'

export interface ApprovalQuestion extends Shown {
  readonly command: string
  readonly session: string | undefined
  readonly reason: string | undefined
  readonly principal: Principal
}

export interface Outcome {
  /** `unavailable`: nobody could be asked, which is no refusal. */
  readonly outcome: 'approved' | 'approved_session' | 'denied' | 'timeout' | 'unavailable'
  readonly reason?: string
  readonly by?: string
}

export interface Approvals {
  ask(question: ApprovalQuestion, signal: AbortSignal): Promise<Outcome>
}

export const nobodyToAsk: Approvals = { ask: async () => ({ outcome: 'unavailable', reason: 'this host has nobody to ask' }) }

/** How long a question waits for its answer. */
const waitsMinutes = 10

/** Resolves when it may run. Throws `approval.denied`, `approval.timeout`, `approval.unavailable`. */
export async function requireApproval(approvals: Approvals, question: ApprovalQuestion, signal: AbortSignal): Promise<void> {
  const { command } = question
  const { outcome, reason, by } = await approvals.ask(question, signal)
  switch (outcome) {
    case 'approved':
    case 'approved_session':
      return
    case 'denied':
      throw failure('approval.denied', { command, by: by ?? 'Somebody', reason: reason ?? 'no reason was given' })
    case 'timeout':
      throw failure('approval.timeout', { command, minutes: waitsMinutes })
    case 'unavailable':
      throw failure('approval.unavailable', { command, problem: reason ?? 'no hub listens' })
  }
}
