// A hub and hosts that ask, joined by function calls: what the hub shows, whose answers it carries, and what it lets nobody forge.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pino from 'pino'
import { expect, test, vi } from 'vitest'
import {
  type ApprovalChange,
  approveApproval,
  denyApproval,
  type FleetApproval,
  followApprovals,
  linkApproval,
  listApprovals,
  revokeApproval,
  showApproval,
} from '../../src/contract/approval.ts'
import type { NewAuditEntry } from '../../src/contract/audit.ts'
import { direct } from '../../src/contract/direct.ts'
import { failure } from '../../src/contract/errors.ts'
import { type Bound, implement, implementation, type Principal } from '../../src/contract/implementation.ts'
import { roleScopes } from '../../src/contract/token.ts'
import type { Approvals } from '../../src/host/approvals/approvals.ts'
import { openApprovals } from '../../src/host/approvals/approvals.ts'
import { question as asked, waiting } from '../../src/host/approvals/test-parts.ts'
import { type ApprovalNews, type HubApprovals, openHubApprovals } from '../../src/hub/approvals/approvals.ts'
import { createFleet } from '../../src/hub/fleet.ts'
import { openTestHome, testHost } from '../../src/hub/test-parts.ts'
import { openStore } from '../../src/store/store.ts'

const log = pino({ level: 'silent' })
/** As test hosts are asked. */
const itself: Principal = { kind: 'self', id: 'hub', role: 'operator', scopes: new Set() }
const question = (changes: Parameters<typeof asked>[0] = {}) => asked({ principal: itself, ...changes })

function person(id: string, role: keyof typeof roleScopes = 'operator'): Principal {
  return { kind: 'user', id, role, scopes: new Set(roleScopes[role]) }
}

interface HubWithHost extends AsyncDisposable {
  readonly host: ReturnType<typeof testHost>
  readonly approvals: Approvals
  readonly hub: () => HubApprovals
  readonly news: ApprovalNews[]
  readonly recorded: readonly NewAuditEntry[]
  /** Whose links are good no more. */
  readonly revoked: Set<string>
  as(who: Principal): ReturnType<typeof direct>
  /** What waits, once it is something. */
  waits(): Promise<FleetApproval>
  restart(): Promise<void>
}

/** `tamper` stands between host and hub: what a host would be that lies. */
async function open({ tamper }: { tamper?: (bound: Bound) => Bound } = {}): Promise<HubWithHost> {
  await using opened = new AsyncDisposableStack()
  const home = opened.use(await openTestHome())
  const dir = await mkdtemp(join(tmpdir(), 'muster-asking-'))
  opened.defer(() => rm(dir, { recursive: true }))
  const store = opened.use(await openStore({ file: join(dir, 'host.db') }))
  const approvals = opened.use(await openApprovals({ store, host: 'local', name: 'box', log }))
  const host = testHost('box', tamper ? approvals.operations.map(tamper) : [...approvals.operations])
  const fleet = createFleet(testHost('local', []))
  fleet.add(host)
  const news: ApprovalNews[] = []
  const recorded: NewAuditEntry[] = []
  const revoked = new Set<string>()
  const start = async () => {
    const hub = await openHubApprovals({
      store: home.store,
      fleet,
      dir: home.dir,
      log,
      url: () => 'http://127.0.0.1:7878',
      publish: (one) => void news.push(one),
      mayStillApprove: async (id) => !revoked.has(id),
      record: async (entry) => void recorded.push(entry),
    })
    const { state } = host.connector
    if (state.status !== 'online') throw new Error('the test host is away')
    return { hub, reading: hub.read(host, state.caller) }
  }
  let now = await start()
  const stop = async () => {
    await now.reading[Symbol.asyncDispose]()
    await now.hub[Symbol.asyncDispose]()
  }
  opened.defer(stop)
  const as = (who: Principal) => direct(implementation(...now.hub.operations), who)
  const parts = opened.move()
  return {
    host,
    approvals,
    hub: () => now.hub,
    news,
    recorded,
    revoked,
    as,
    waits: () =>
      vi.waitFor(async () => {
        const [first] = (await as(person('reader', 'viewer')).call(listApprovals, {})).approvals
        if (!first) throw new Error('nothing waits')
        return first
      }, 30_000),
    async restart() {
      await stop()
      now = await start()
    },
    [Symbol.asyncDispose]: () => parts.disposeAsync(),
  }
}

test('is shown with its host, approved by whom his connection says, and both is told', async () => {
  await using it = await open()
  const outcome = it.approvals.ask(question(), waiting)
  const approval = await it.waits()
  expect(approval).toMatchObject({ host: 'box', hostId: 'box', state: 'pending', asked: { params: { script: 'echo hi' } } })
  const { command } = approval.asked
  expect(await it.hub().isAsked('box', command)).toBe(true)
  expect(await it.hub().isAsked('box', `${command}.other`)).toBe(false)
  expect(await it.hub().isAsked('another', command)).toBe(false)
  const answered = await it
    .as(person('tok_7', 'approver'))
    .call(approveApproval, { approval: approval.id, digest: approval.digest })
  expect(answered).toMatchObject({ state: 'approved', resolution: { by: 'tok_7' } })
  expect(await it.hub().isAsked('box', command)).toBe(false)
  expect(await outcome).toEqual({ outcome: 'approved', by: 'tok_7' })
  expect(it.news.map(({ topic }) => topic)).toEqual(['approval.requested', 'approval.resolved'])
})

test('two approvers at once: one counts, and it is his name that is kept', async () => {
  await using it = await open()
  const outcome = it.approvals.ask(question(), waiting)
  const { id: approval, digest } = await it.waits()
  const answers = await Promise.allSettled([
    it.as(person('tok_1')).call(approveApproval, { approval, digest }),
    it.as(person('tok_2')).call(denyApproval, { approval, digest, reason: 'no' }),
    it.as(person('tok_3')).call(approveApproval, { approval, digest }),
  ])
  const accepted = answers.filter((one) => one.status === 'fulfilled')
  const refused = answers.filter((one) => one.status === 'rejected')
  expect(accepted).toHaveLength(1)
  for (const { reason } of refused) expect(reason).toMatchObject({ code: 'approval.resolved' })
  const shown = await it.as(person('tok_4')).call(showApproval, { approval })
  expect(shown).toEqual(accepted[0]?.value)
  expect((await outcome).by).toBe(shown.resolution?.by)
})

test('a viewer looks and answers nothing; somebody without a digest that was shown does not either', async () => {
  await using it = await open()
  void it.approvals.ask(question(), waiting).catch(() => undefined)
  const { id: approval, digest } = await it.waits()
  const viewer = it.as(person('tok_1', 'viewer'))
  for (const call of [
    viewer.call(approveApproval, { approval, digest }),
    viewer.call(denyApproval, { approval, digest, reason: 'no' }),
    viewer.call(revokeApproval, { approval }),
    viewer.call(linkApproval, { approval }),
  ])
    await expect(call).rejects.toMatchObject({ code: 'auth.forbidden' })
  const other = it.as(person('tok_2')).call(approveApproval, { approval, digest: '0'.repeat(64) })
  await expect(other).rejects.toMatchObject({ code: 'approval.changed' })
  expect((await it.waits()).state).toBe('pending')
})

test('what waits survives a restart of the hub, and is answered after it', async () => {
  await using it = await open()
  const outcome = it.approvals.ask(question(), waiting)
  const before = await it.waits()
  await it.restart()
  expect(await it.waits()).toMatchObject({ id: before.id })
  await it.as(person('tok_1')).call(approveApproval, { approval: before.id, digest: before.digest })
  expect((await outcome).outcome).toBe('approved')
})

test('a host that is away cannot be answered, and the question still waits', async () => {
  await using it = await open()
  const outcome = it.approvals.ask(question(), waiting)
  const { id: approval, digest } = await it.waits()
  it.host.cut()
  await expect(it.as(person('tok_1')).call(approveApproval, { approval, digest })).rejects.toMatchObject({ code: 'host.offline' })
  it.host.dial()
  await it.as(person('tok_2')).call(approveApproval, { approval, digest })
  expect(await outcome).toEqual({ outcome: 'approved', by: 'tok_2' })
})

/** What a host tells, made otherwise. */
function telling(change: (told: ApprovalChange) => ApprovalChange) {
  return (bound: Bound): Bound =>
    bound.operation !== followApprovals
      ? bound
      : implement(followApprovals, async function* (input, context) {
          for await (const told of bound.handle(input, context, nothing) as AsyncIterable<ApprovalChange>) yield change(told)
        })
}
const nothing: AsyncIterable<Uint8Array> = { async *[Symbol.asyncIterator]() {} }

test('a forged host id: whose question it is, is said by the link alone', async () => {
  await using it = await open({
    tamper: telling((told) => ({ ...told, approval: { ...told.approval, host: 'local', hostId: 'local' } }) as ApprovalChange),
  })
  void it.approvals.ask(question(), waiting).catch(() => undefined)
  expect(await it.waits()).toMatchObject({ host: 'box', hostId: 'box' })
})

test('a card that shows something else than its digest is of is not shown', async () => {
  await using it = await open({
    tamper: telling((told) => {
      const harmless = { ...told.approval.asked, params: { script: 'echo harmless' } }
      return told.approval.reason === 'forged' ? { ...told, approval: { ...told.approval, asked: harmless } } : told
    }),
  })
  void it.approvals.ask(question({ reason: 'forged', params: { script: 'rm -rf /' } }), waiting).catch(() => undefined)
  void it.approvals.ask(question({ reason: 'honest' }), waiting).catch(() => undefined)
  await it.waits()
  const { approvals } = await it.as(person('tok_1')).call(listApprovals, { all: true })
  expect(approvals.map(({ reason }) => reason)).toEqual(['honest'])
})

test('approved for a session, and taken back by the hub', async () => {
  await using it = await open()
  const inSession = question({ session: 's' })
  const outcome = it.approvals.ask(inSession, waiting)
  const { id: approval, digest } = await it.waits()
  const approver = it.as(person('tok_1'))
  await approver.call(approveApproval, { approval, digest, session: true })
  expect((await outcome).outcome).toBe('approved_session')
  expect((await it.approvals.ask(inSession, waiting)).outcome).toBe('approved_session')
  expect(await approver.call(revokeApproval, { approval })).toEqual({ taken: true })
  void it.approvals.ask(inSession, waiting).catch(() => undefined)
  expect((await it.waits()).id).not.toBe(approval)
})

async function linkTo(it: HubWithHost, approval: string): Promise<string> {
  const { url } = await it.as(person('tok_1')).call(linkApproval, { approval })
  expect(url).toMatch(/^http:\/\/127\.0\.0\.1:7878\/approve\//)
  return url.split('/').at(-1) ?? ''
}

test('a link answers once, in the name of who made it', async () => {
  await using it = await open()
  const outcome = it.approvals.ask(question(), waiting)
  const { id } = await it.waits()
  const [token, second] = [await linkTo(it, id), await linkTo(it, id)]
  const { links } = it.hub()
  expect((await links.look(token)).id).toBe(id)
  expect((await links.look(token)).state).toBe('pending')
  const answered = await Promise.allSettled([1, 2, 3].map(() => links.answer(token, { outcome: 'approved' })))
  expect(answered.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
  expect((await outcome).by).toBe('tok_1 by a link')
  await expect(links.look(token)).rejects.toMatchObject({ code: 'approval.link_used' })
  await expect(links.answer(second, { outcome: 'denied' })).rejects.toMatchObject({ code: 'approval.resolved' })
})

test('a link that was altered, is for another approval or another hub, or has expired, is refused', async () => {
  await using it = await open()
  await using foreign = await open()
  for (const one of [it, foreign]) void one.approvals.ask(question(), waiting).catch(() => undefined)
  const token = await linkTo(it, (await it.waits()).id)
  void it.approvals.ask(question({ params: { script: 'other' } }), waiting).catch(() => undefined)
  const other = await vi.waitFor(async () => {
    const found = (await it.as(person('tok_1')).call(listApprovals, {})).approvals.find(({ asked: { params } }) =>
      JSON.stringify(params).includes('other'),
    )
    if (!found) throw new Error('it has not come')
    return linkTo(it, found.id)
  }, 30_000)
  const [id = '', signature = ''] = token.split('.')
  const altered = [
    '',
    id,
    `${id}.`,
    `${id}.${signature.slice(0, -1)}`,
    `${id}.${signature.replace(/^./, (first) => (first === 'A' ? 'B' : 'A'))}`,
    `${other.split('.')[0]}.${signature}`,
    `${id}.${other.split('.')[1]}`,
    await linkTo(foreign, (await foreign.waits()).id),
  ]
  for (const bad of altered) {
    await expect(it.hub().links.look(bad)).rejects.toMatchObject({ code: 'approval.link_invalid' })
    await expect(it.hub().links.answer(bad, { outcome: 'approved' })).rejects.toMatchObject({ code: 'approval.link_invalid' })
  }
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 3600_000 })
  try {
    await expect(it.hub().links.look(token)).rejects.toMatchObject({ code: 'approval.link_invalid' })
  } finally {
    vi.useRealTimers()
  }
})

test('a link of which nothing came, since the host was away, can be used again', async () => {
  await using it = await open()
  const outcome = it.approvals.ask(question(), waiting)
  const token = await linkTo(it, (await it.waits()).id)
  it.host.cut()
  await expect(it.hub().links.answer(token, { outcome: 'approved' })).rejects.toMatchObject({ code: 'host.offline' })
  it.host.dial()
  await it.hub().links.answer(token, { outcome: 'denied', reason: 'no' })
  expect(await outcome).toEqual({ outcome: 'denied', reason: 'no', by: 'tok_1 by a link' })
})

test('a link whose maker may approve no more is good no more', async () => {
  await using it = await open()
  const outcome = it.approvals.ask(question(), waiting)
  const token = await linkTo(it, (await it.waits()).id)
  it.revoked.add('tok_1')
  await expect(it.hub().links.look(token)).rejects.toMatchObject({ code: 'approval.link_invalid' })
  await expect(it.hub().links.answer(token, { outcome: 'approved' })).rejects.toMatchObject({ code: 'approval.link_invalid' })
  expect(it.recorded).toEqual([])
  it.revoked.clear()
  await it.hub().links.answer(token, { outcome: 'approved' })
  expect(await outcome).toMatchObject({ outcome: 'approved' })
})

test('an answer by a link is in the audit log before the host hears of it', async () => {
  await using it = await open()
  const outcome = it.approvals.ask(question(), waiting)
  const { id, digest } = await it.waits()
  await it.hub().links.answer(await linkTo(it, id), { outcome: 'denied', reason: 'no' })
  await outcome
  expect(it.recorded).toEqual([
    {
      actor: { kind: 'user', id: 'tok_1', role: 'link', name: null },
      action: 'approval.deny',
      host: it.host.id,
      subject: id,
      digest,
      decision: 'allowed',
    },
  ])
})

test('a link does not leave this machine in the clear unless it is said so', async () => {
  await using it = await open()
  void it.approvals.ask(question(), waiting).catch(() => undefined)
  const { id: approval } = await it.waits()
  const operator = it.as(person('tok_1'))
  const plain = { approval, url: 'http://hub.example:7878' }
  await expect(operator.call(linkApproval, plain)).rejects.toMatchObject({ code: 'link.insecure' })
  expect((await operator.call(linkApproval, { ...plain, insecure: true })).url).toMatch(/^http:\/\/hub\.example:7878\/approve\//)
  expect((await operator.call(linkApproval, { approval, url: 'https://hub.example' })).url).toMatch(/^https:/)
})

test('an asker whose host leaves is told of it, and his question ends at the hub by itself or by the host', async () => {
  await using it = await open()
  const leaving = new AbortController()
  const outcome = it.approvals.ask(question(), leaving.signal)
  const { id: approval } = await it.waits()
  leaving.abort(failure('call.cancelled'))
  await expect(outcome).rejects.toMatchObject({ code: 'call.cancelled' })
  await vi.waitFor(
    async () => expect(await it.as(person('tok_1')).call(showApproval, { approval })).toMatchObject({ state: 'unavailable' }),
    30_000,
  )
  expect(it.news.at(-1)).toMatchObject({ topic: 'approval.resolved', approval: { state: 'unavailable' } })
})
