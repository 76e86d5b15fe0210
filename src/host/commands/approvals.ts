// Puts an invocation that has to be approved to people, and says what became of it. How they are asked is src/host/approvals.

import type { Approval } from '../../contract/approval.ts'
import { failure } from '../../contract/errors.ts'
import type { Decided } from '../../contract/implementation.ts'
import type { Approvals } from '../approvals/approvals.ts'
import type { Question } from '../approvals/question.ts'
import type { Invocation, Shown } from './command.ts'

export type Asking = Pick<Approvals, 'ask'>

export interface ApprovalQuestion extends Pick<Question, 'command' | 'session' | 'reason' | 'cause' | 'asker' | 'principal'> {
  /** What will run: the object itself, which nobody can change any more. */
  readonly shown: Shown
}

/** How long a question waits for its answer. */
const waitsMinutes = 10

/**
 * Resolves when it may run, with what its audit entry says of that; who waits is told meanwhile where to approve, and `onAsked` that a
 * question was put. Throws `approval.denied`, `approval.timeout`, `approval.unavailable`.
 */
export async function requireApproval(
  asking: Asking,
  { shown, ...question }: ApprovalQuestion,
  { signal, progress }: Invocation,
  onAsked: (entry: Decided) => void,
): Promise<Decided> {
  const { command } = question
  const { params, argv = null, cwd = null, env = {}, script } = shown
  let put: Pick<Decided, 'digest' | 'detail'> = { detail: { approved: 'for its session' } }
  const told = ({ id, expiresAt, digest }: Approval) => {
    put = { digest, detail: { approval: id } }
    onAsked({ ...put, decision: 'asked' })
    progress({ approval: id, expiresAt })
  }
  const { outcome, reason, by } = await asking.ask(
    {
      ...question,
      params,
      argv,
      cwd,
      env,
      script: script ?? null,
    },
    signal,
    told,
  )
  switch (outcome) {
    case 'approved':
    case 'approved_session':
      return { ...put, decision: 'allowed' }
    case 'denied':
      throw failure('approval.denied', { command, by: by ?? 'Somebody', reason: reason ?? 'no reason was given' })
    case 'timeout':
      throw failure('approval.timeout', { command, minutes: waitsMinutes })
    case 'unavailable':
      throw failure('approval.unavailable', { command, problem: reason ?? 'no hub reads what this host asks' })
  }
}
