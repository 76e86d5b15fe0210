// A host's files, for copies: each path is asked of its policy, and where that has a person asked, his word is a permit for one copy.

import { failure } from '../contract/errors.ts'
import { askForFiles } from '../contract/file.ts'
import { type Bound, implement, type Principal } from '../contract/implementation.ts'
import type { Decision } from '../contract/policy.ts'
import { absolutePath, isBelow, type Jail, outside, plainPath } from '../transfer/disk/jail.ts'
import { type FileCommand, fileCommand, fileOperations } from '../transfer/disk/operations.ts'
import { makePermits } from '../transfer/disk/permits.ts'
import { type Asking, requireApproval } from './commands/approvals.ts'
import type { OpenPolicy } from './policy.ts'

interface FilesOf {
  readonly jail: () => Jail
  readonly policy: Pick<OpenPolicy, 'decide'>
  readonly approvals: Asking
}

export function hostFiles({ jail, policy, approvals }: FilesOf): Bound[] {
  const permits = makePermits()

  /** Throws `policy.denied`, also where somebody has said yes and the policy was narrowed since. */
  function decided(command: FileCommand, path: string, principal: Principal): Decision {
    const decision = policy.decide({ command, params: { path }, principal })
    if (decision.effect === 'deny') throw failure('policy.denied', { command })
    return decision
  }

  return [
    ...fileOperations({
      jail,
      allow(command, path, { principal, permit }) {
        const { effect } = decided(command, path, principal)
        if (effect === 'ask' && !permits.covers(permit, { command, path })) throw failure('policy.asks', { command })
      },
    }),
    implement(askForFiles, async ({ path: given, for: meant, reason = null, asker = null }, context) => {
      const command = fileCommand[meant]
      const { principal, signal, progress } = context
      const { roots } = jail()
      const path = absolutePath(roots, given)
      const { effect, by } = decided(command, path ?? given, principal)
      if (path === undefined || !roots.some((root) => isBelow(plainPath(root), path))) throw outside(roots, given)
      if (effect === 'allow') return { path, permit: null }
      const shown = { params: { path, copy: 'this path, and all that is below it' } }
      const question = { shown, command, session: null, reason, cause: by.why, asker, principal }
      const yes = await requireApproval(approvals, question, { signal, progress, asker }, (put) => void context.decided?.(put))
      decided(command, path, principal)
      // On disk before it counts.
      await context.decided?.(yes, { durable: true })
      return { path, permit: permits.give({ command, path }) }
    }),
  ]
}
