// For tests of approvals: a host's side over a store of its own, questions as a hub would have them asked, and a hub that reads.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pino from 'pino'
import { type Approval, followApprovals, forgetApproval, resolveApproval } from '../../contract/approval.ts'
import type { Caller } from '../../contract/caller.ts'
import { direct } from '../../contract/direct.ts'
import { implementation, type Principal } from '../../contract/implementation.ts'
import type { InputOf } from '../../contract/operation.ts'
import { openStore } from '../../store/store.ts'
import { type Approvals, type ApprovalsOf, openApprovals } from './approvals.ts'
import type { Question } from './question.ts'

export const hub: Principal = {
  kind: 'hub',
  id: 'a'.repeat(32),
  role: 'hub',
  scopes: new Set(['read', 'operate', 'approve', 'admin']),
}
export const otherHub: Principal = { ...hub, id: 'b'.repeat(32) }

/** Of who waits for ever. */
export const waiting = new AbortController().signal

export function question(changes: Partial<Question> = {}): Question {
  return {
    command: 'shell',
    params: { script: 'echo hi' },
    argv: null,
    cwd: '/srv',
    env: {},
    script: null,
    session: null,
    reason: 'to see',
    cause: 'the command is sensitive',
    asker: 'tok_1',
    principal: hub,
    ...changes,
  }
}

export interface AskingHost extends AsyncDisposable {
  readonly approvals: Approvals
  /** As a hub that speaks to it. */
  as(principal: Principal): Caller
  /** Reads what is asked, for as long as this host process lives. */
  follow(principal?: Principal): void
  pending(principal?: Principal): Promise<Approval[]>
  resolve(approval: Approval, outcome: InputOf<typeof resolveApproval>['outcome'], principal?: Principal): Promise<Approval>
  forget(approval: Approval): Promise<boolean>
  /** The host process dies, and another opens the same store. */
  crash(): Promise<void>
}

export async function openAskingHost(times: ApprovalsOf['times'] = {}): Promise<AskingHost> {
  const dir = await mkdtemp(join(tmpdir(), 'muster-approvals-'))
  const file = join(dir, 'host.db')
  const start = async () => {
    const store = await openStore({ file })
    const approvals = await openApprovals({ store, host: 'local', name: 'box', log: pino({ level: 'silent' }), times })
    return { store, approvals, reading: new AbortController() }
  }
  const end = async ({ store, approvals, reading }: Awaited<ReturnType<typeof start>>) => {
    reading.abort()
    await approvals[Symbol.asyncDispose]()
    await store.close()
  }
  let now = await start()
  const as = (principal: Principal) => direct(implementation(...now.approvals.operations), principal)
  return {
    get approvals() {
      return now.approvals
    },
    as,
    follow(principal = hub) {
      const { signal } = now.reading
      const changes = as(principal).items(followApprovals, { follow: true }, { signal })[Symbol.asyncIterator]()
      const read = async (): Promise<void> => {
        if (!(await changes.next()).done) await read()
      }
      read().catch((error) => {
        if (!signal.aborted) throw error
      })
    },
    async pending(principal = hub) {
      const found: Approval[] = []
      for await (const { approval } of as(principal).items(followApprovals, {})) {
        if (approval.state === 'pending') found.push(approval)
      }
      return found
    },
    resolve: ({ id, digest }, outcome, principal = hub) => as(principal).call(resolveApproval, { approval: id, digest, outcome }),
    forget: async ({ id }) => (await as(hub).call(forgetApproval, { approval: id })).taken,
    async crash() {
      // A closed store takes nothing any more: what the dead process still meant to write never comes.
      await end(now)
      now = await start()
    },
    async [Symbol.asyncDispose]() {
      await end(now)
      await rm(dir, { recursive: true, force: true })
    },
  }
}
