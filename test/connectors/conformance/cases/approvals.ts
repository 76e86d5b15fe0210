// What waits for a person: a sensitive command that its host asks about, answered at the hub. It runs once it is approved, and whatever
// else happens it does not.

import { expect } from 'vitest'
import {
  approveApproval,
  denyApproval,
  type FleetApproval,
  listApprovals,
  resolveApproval,
  revokeApproval,
  showApproval,
} from '../../../../src/contract/approval.ts'
import { invokeCommand } from '../../../../src/contract/command.ts'
import { asMusterError, type MusterError } from '../../../../src/contract/errors.ts'
import { testPolicy } from '../../../../src/contract/policy.ts'
import type { CaseGroup } from '../case.ts'
import { linesIn, type Subject } from '../subject.ts'

interface Sensitive {
  readonly params: Record<string, unknown>
  /** How often it ran. */
  ran(): Promise<number>
}

/** A script that leaves a line, and is like no other. */
export function sensitive({ freshPath }: Subject): Sensitive {
  const trace = freshPath('trace')
  return {
    params: { script: `echo ran >> '${trace}'; echo "$*"` },
    ran: async () => (await linesIn(trace)).length,
  }
}

type Outcome = { readonly stdout: string } | MusterError

interface Asked {
  readonly approval: FleetApproval
  readonly outcome: Promise<Outcome>
}

/** Invokes it, and resolves once the hub shows that it waits. */
export async function ask(
  subject: Subject,
  { params }: Sensitive,
  more: Record<string, unknown> = {},
  signal?: AbortSignal,
): Promise<Asked> {
  const before = new Set((await questions(subject, params)).map(({ id }) => id))
  const outcome = invoke(subject, params, more, signal)
  const approval = await subject.eventually('it is shown that it waits', async () => {
    const found = await questions(subject, params)
    return found.find(({ id }) => !before.has(id))
  })
  expect(approval.state).toBe('pending')
  return { approval, outcome }
}

function invoke({ asked }: Subject, params: Sensitive['params'], more = {}, signal?: AbortSignal): Promise<Outcome> {
  return asked
    .call(invokeCommand, { command: 'shell', params, ...more }, signal && { signal })
    .then(({ result }) => result as { stdout: string }, asMusterError)
}

async function questions({ hub, host }: Subject, { script }: Sensitive['params']): Promise<FleetApproval[]> {
  const { approvals } = await hub.call(listApprovals, { host, all: true, limit: 1000 })
  return approvals.filter(({ asked }) => asked.script?.text === script)
}

export const approve = ({ hub }: Subject, { id, digest }: FleetApproval, session = false) =>
  hub.call(approveApproval, { approval: id, digest, session })
const deny = ({ hub }: Subject, { id, digest }: FleetApproval, reason = 'not now') =>
  hub.call(denyApproval, { approval: id, digest, reason })

/** However the question ended, the hub is told of it. */
function ends({ hub, eventually }: Subject, { id }: FleetApproval): Promise<FleetApproval> {
  return eventually('the question is over', async () => {
    const now = await hub.call(showApproval, { approval: id })
    return now.state === 'pending' ? undefined : now
  })
}

export const approvals: CaseGroup = {
  title: 'approvals',
  how: 'together',
  cases: [
    {
      name: 'that a person is asked is what a test of the policy says',
      async check({ asked }) {
        const decision = await asked.call(testPolicy, { command: 'shell', params: { script: 'true' } })
        expect(decision).toMatchObject({ effect: 'ask', by: { layer: 'catalog' } })
      },
    },
    {
      name: 'a sensitive command waits and is shown whole; approved, it runs once',
      async check(subject) {
        const command = sensitive(subject)
        const { approval, outcome } = await ask(subject, command, { reason: 'the disk is full' })
        expect(approval).toMatchObject({
          host: subject.host,
          reason: 'the disk is full',
          asked: { command: 'shell', params: command.params, script: { text: command.params.script }, session: null },
        })
        expect(approval.asked.asker).not.toBeNull()
        expect(await command.ran()).toBe(0)
        expect(await approve(subject, approval)).toMatchObject({ id: approval.id, state: 'approved' })
        expect(await outcome).toMatchObject({ code: 0, stdout: '\n' })
        expect(await command.ran()).toBe(1)
        expect(await ends(subject, approval)).toMatchObject({ state: 'approved', resolution: { by: expect.any(String) } })
      },
    },
    {
      name: 'denied, it does not run, and who asked is told why',
      async check(subject) {
        const command = sensitive(subject)
        const { approval, outcome } = await ask(subject, command)
        await deny(subject, approval, 'not during the release')
        expect(await outcome).toMatchObject({
          code: 'approval.denied',
          message: expect.stringContaining('not during the release'),
        })
        expect(await ends(subject, approval)).toMatchObject({
          state: 'denied',
          resolution: { by: expect.any(String), reason: 'not during the release' },
        })
        expect(await command.ran()).toBe(0)
      },
    },
    {
      name: 'of two answers one counts, and every later one is refused',
      async check(subject) {
        const command = sensitive(subject)
        const { approval, outcome } = await ask(subject, command)
        const answers = await Promise.allSettled([approve(subject, approval), deny(subject, approval)])
        const counted = answers.filter((answer) => answer.status === 'fulfilled')
        const refused = answers.filter((answer) => answer.status === 'rejected')
        expect(refused).toMatchObject([{ reason: { code: 'approval.resolved' } }])
        const { state } = await ends(subject, approval)
        expect(counted).toMatchObject([{ value: { state } }])
        await subject.refuses('approval.resolved', approve(subject, approval))
        await subject.refuses('approval.resolved', deny(subject, approval))
        const { id, digest } = approval
        const again = subject.asked.call(resolveApproval, { approval: id, digest, outcome: 'approved' })
        await subject.refuses('approval.resolved', again)
        await outcome
        expect(await command.ran()).toBe(state === 'approved' ? 1 : 0)
      },
    },
    {
      name: 'an answer to anything else than what would run is refused, by the hub and by the host itself',
      async check(subject) {
        const command = sensitive(subject)
        const { approval, outcome } = await ask(subject, command)
        const other = { ...approval, digest: '0'.repeat(64) }
        await subject.refuses('approval.changed', approve(subject, other))
        const { id, digest } = other
        await subject.refuses(
          'approval.changed',
          subject.asked.call(resolveApproval, { approval: id, digest, outcome: 'approved' }),
        )
        expect((await subject.hub.call(showApproval, { approval: id })).state).toBe('pending')
        await deny(subject, approval)
        expect(await outcome).toMatchObject({ code: 'approval.denied' })
        expect(await command.ran()).toBe(0)
      },
    },
    {
      name: 'who asks and who answers is who is connected, whatever they say',
      async check(subject) {
        const command = sensitive(subject)
        const { approval, outcome } = await ask(subject, command, { asker: 'somebody' })
        expect(approval.asked.asker).not.toBe('somebody')
        const { id, digest } = approval
        const answer = { approval: id, digest, outcome: 'denied', reason: 'no', by: 'somebody' } as const
        const { resolution } = await subject.asked.call(resolveApproval, answer)
        expect(resolution?.by).not.toBe('somebody')
        expect((await ends(subject, approval)).resolution?.by).not.toBe('somebody')
        expect(await outcome).toMatchObject({ code: 'approval.denied', message: expect.not.stringContaining('somebody') })
        expect(await command.ran()).toBe(0)
      },
    },
    {
      name: 'what says of itself that it is approved is refused',
      async check(subject) {
        const command = sensitive(subject)
        const params = { ...command.params, approved: true, approvalDecision: 'approved' }
        expect(await invoke(subject, params)).toMatchObject({ code: 'input.invalid' })
        expect(await command.ran()).toBe(0)
      },
    },
    {
      name: 'an asker who leaves takes the question with him',
      async check(subject) {
        const command = sensitive(subject)
        const leaving = new AbortController()
        const { approval, outcome } = await ask(subject, command, {}, leaving.signal)
        leaving.abort()
        expect(await outcome).toMatchObject({ code: 'call.cancelled' })
        expect(await ends(subject, approval)).toMatchObject({ state: 'unavailable' })
        await subject.refuses('approval.resolved', approve(subject, approval))
        expect(await command.ran()).toBe(0)
      },
    },
    {
      name: 'an approval for a session covers the like of it there, and nothing else, until it is taken back',
      async check(subject) {
        const command = sensitive(subject)
        const like = (args: string) => ({ ...command, params: { ...command.params, args: [args] } })
        const session = { session: `s-${subject.freshPath('session')}` }
        const { approval, outcome } = await ask(subject, like('one'), session)
        expect(await approve(subject, approval, true)).toMatchObject({ state: 'approved_session' })
        expect(await outcome).toMatchObject({ stdout: 'one\n' })
        expect(await invoke(subject, like('two').params, session)).toMatchObject({ stdout: 'two\n' })
        expect(await command.ran()).toBe(2)
        const other = sensitive(subject)
        const unlike: Parameters<typeof ask>[] = [
          [subject, { ...other, params: { ...other.params, args: ['one'] } }, session],
          [subject, like('no session')],
          [subject, { ...command, params: { ...like('elsewhere').params, cwd: '/' } }, session],
          [subject, like('another session'), { session: `${session.session}-2` }],
        ]
        for (const asking of unlike) {
          const asked = await ask(...asking)
          await deny(subject, asked.approval)
          expect(await asked.outcome).toMatchObject({ code: 'approval.denied' })
        }
        expect(await subject.hub.call(revokeApproval, { approval: approval.id })).toEqual({ taken: true })
        const again = await ask(subject, like('three'), session)
        await deny(subject, again.approval)
        await again.outcome
        expect([await command.ran(), await other.ran()]).toEqual([2, 0])
      },
    },
  ],
}

export const approvalsApart: CaseGroup = {
  title: 'approvals over restarts',
  how: 'in turn',
  cases: [
    {
      name: 'the host is killed while something waits: nobody waits for it any more, and no answer lets it run',
      async check(subject) {
        const command = sensitive(subject)
        const { approval, outcome } = await ask(subject, command)
        await subject.fixture.restartHost()
        await subject.online()
        expect(await outcome).toBeInstanceOf(Error)
        expect(await ends(subject, approval)).toMatchObject({ state: 'unavailable' })
        await subject.refuses('approval.resolved', approve(subject, approval))
        expect(await command.ran()).toBe(0)
      },
    },
    {
      name: 'the hub is killed while something waits: it waits still; approved, it runs once somebody asks for just that again, once',
      needs: ['apart', 'mirrored'],
      async check(subject) {
        const command = sensitive(subject)
        const { approval, outcome } = await ask(subject, command)
        await subject.fixture.restartHub()
        await subject.online()
        expect(await outcome).toBeInstanceOf(Error)
        const { hub } = subject
        expect(await hub.call(showApproval, { approval: approval.id })).toMatchObject({
          state: 'pending',
          digest: approval.digest,
        })
        expect(await approve(subject, approval)).toMatchObject({ state: 'approved' })
        expect(await command.ran()).toBe(0)
        expect(await invoke(subject, command.params)).toMatchObject({ code: 0 })
        expect(await command.ran()).toBe(1)
        // It was spent on that.
        const again = await ask(subject, command)
        await deny(subject, again.approval)
        expect(await again.outcome).toMatchObject({ code: 'approval.denied' })
        expect(await command.ran()).toBe(1)
      },
    },
    {
      name: 'while the host is away nobody can answer, and the question waits until it is back',
      needs: ['apart', 'mirrored'],
      async check(subject) {
        const { apart, eventually, row, online, refuses } = subject
        const command = sensitive(subject)
        const { approval, outcome } = await ask(subject, command)
        apart().cut()
        await eventually('it is seen to be away', async () => ((await row()).status === 'offline' ? true : undefined))
        await refuses('host.offline', approve(subject, approval))
        expect((await subject.hub.call(showApproval, { approval: approval.id })).state).toBe('pending')
        apart().mend()
        await online()
        await eventually('it can be answered', () => deny(subject, approval))
        await outcome
        expect(await ends(subject, approval)).toMatchObject({ state: 'denied' })
        expect(await command.ran()).toBe(0)
      },
    },
  ],
}
