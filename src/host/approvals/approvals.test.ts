import { mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test, vi } from 'vitest'
import { type Approval, followApprovals, resolveApproval } from '../../contract/approval.ts'
import { failure } from '../../contract/errors.ts'
import { digestOf } from '../../store/approval-digest.ts'
import { type AskingHost, hub, openAskingHost, otherHub, question, waiting } from './test-parts.ts'

/** Asks, and waits until it can be answered. */
async function ask(host: AskingHost, changes: Parameters<typeof question>[0] = {}, signal = waiting) {
  const seen = Promise.withResolvers<Approval>()
  const outcome = host.approvals.ask(question(changes), signal, seen.resolve)
  outcome.catch(seen.reject)
  return { approval: await seen.promise, outcome }
}

async function openReadHost(times?: Parameters<typeof openAskingHost>[0]): Promise<AskingHost> {
  const host = await openAskingHost(times)
  host.follow()
  return host
}

test('what is approved runs once; who answered is told, and a second answer is refused', async () => {
  await using host = await openReadHost()
  const { approval, outcome } = await ask(host)
  expect(await host.resolve(approval, 'approved')).toMatchObject({ state: 'approved', resolution: { by: hub.id } })
  expect(await outcome).toEqual({ outcome: 'approved', by: hub.id })
  await expect(host.resolve(approval, 'denied')).rejects.toMatchObject({ code: 'approval.resolved' })
})

test('a replayed answer approves nothing that is asked later', async () => {
  await using host = await openReadHost()
  const first = await ask(host)
  await host.resolve(first.approval, 'approved')
  await first.outcome
  const again = await ask(host)
  expect(again.approval.digest).toBe(first.approval.digest)
  expect(again.approval.id).not.toBe(first.approval.id)
  await expect(host.resolve(first.approval, 'approved')).rejects.toMatchObject({ code: 'approval.resolved' })
  expect(await host.pending()).toMatchObject([{ id: again.approval.id }])
})

test('of two answers at once one counts, and the other is told so', async () => {
  await using host = await openReadHost()
  const { approval, outcome } = await ask(host)
  const answers = await Promise.allSettled([host.resolve(approval, 'approved'), host.resolve(approval, 'denied')])
  const [accepted, refused] = answers.toSorted((one) => (one.status === 'fulfilled' ? -1 : 1))
  expect(accepted).toMatchObject({ status: 'fulfilled', value: { state: (await outcome).outcome } })
  expect(refused).toMatchObject({ status: 'rejected', reason: { code: 'approval.resolved' } })
})

test('an answer for something else than what is asked is refused', async () => {
  await using host = await openReadHost()
  const { approval } = await ask(host)
  const other = await ask(host, { params: { script: 'echo other' } })
  await expect(host.resolve({ ...approval, digest: other.approval.digest }, 'approved')).rejects.toMatchObject({
    code: 'approval.changed',
  })
  expect(await host.pending()).toHaveLength(2)
})

test('another hub sees and answers nothing of it', async () => {
  await using host = await openReadHost()
  const { approval } = await ask(host)
  expect(await host.pending(otherHub)).toEqual([])
  await expect(host.resolve(approval, 'approved', otherHub)).rejects.toMatchObject({ code: 'approval.unknown' })
  expect(await host.pending()).toHaveLength(1)
})

test('injected fields approve nothing: in the parameters they are data, in an answer they are refused', async () => {
  await using host = await openReadHost()
  const { approval } = await ask(host, { params: { script: 'echo hi', approved: true, approvalDecision: 'approved' } })
  expect(approval.state).toBe('pending')
  const forged = { approval: approval.id, digest: approval.digest, outcome: 'approved', state: 'approved', principal: 'root' }
  await expect(host.as(hub).call(resolveApproval, forged as never)).rejects.toMatchObject({ code: 'input.invalid' })
  expect(await host.pending()).toHaveLength(1)
})

test.each([
  ['command', { command: 'exec' }],
  ['parameter', { params: { script: 'echo ho' } }],
  ['argument list', { argv: ['echo', 'hi'] }],
  ['directory', { cwd: '/' }],
  ['variable', { env: { A: '1' } }],
  ['script', { script: 'echo' }],
  ['session', { session: 's' }],
  ['asker', { asker: 'tok_2' }],
  ['hub', { principal: otherHub }],
])('another %s is another digest', async (_, changes) => {
  await using host = await openReadHost()
  host.follow(otherHub)
  const one = await ask(host)
  const other = await ask(host, changes)
  expect(other.approval.digest).not.toBe(one.approval.digest)
  expect(digestOf(other.approval.asked)).toBe(other.approval.digest)
})

test('values of variables are bound and not told', async () => {
  await using host = await openReadHost()
  const secret = 'hunter2-hunter2'
  const given = (value: string) => ({ env: { TOKEN: value }, params: { argv: ['true'], env: { TOKEN: value } } })
  const one = await ask(host, given(secret))
  const other = await ask(host, given('another'))
  expect(Object.keys(one.approval.asked.env)).toEqual(['TOKEN'])
  expect(JSON.stringify(one.approval)).not.toContain(secret)
  expect(one.approval.digest).not.toBe(other.approval.digest)
})

test('what is asked about cannot be changed any more', async () => {
  await using host = await openReadHost()
  const params = { script: 'echo hi', list: [{ deep: 1 }] }
  await ask(host, { params })
  expect(() => {
    params.script = 'rm -rf /'
  }).toThrow(TypeError)
  expect(() => params.list.push({ deep: 2 })).toThrow(TypeError)
})

describe('a file that is swapped after it was asked about does not run', () => {
  const program = (dir: string) => join(dir, 'deploy')
  const beside = (dir: string) => join(dir, 'deploy.sh')
  const swaps: [string, string[], (dir: string) => Promise<unknown>][] = [
    ['a program', ['./deploy'], (dir) => writeFile(program(dir), 'echo evil\n')],
    ['a program in whose place another comes', ['./deploy'], (dir) => rename(beside(dir), program(dir))],
    ['a program in PATH', ['deploy'], (dir) => writeFile(program(dir), 'echo evil\n')],
    ['a program that was not there', ['./new'], (dir) => writeFile(join(dir, 'new'), 'echo evil\n')],
    ["a shell's file", ['/bin/sh', '-e', 'deploy.sh'], (dir) => writeFile(beside(dir), 'echo evil\n')],
    ["an interpreter's file", ['python3.11', 'deploy.sh'], (dir) => writeFile(beside(dir), 'echo evil\n')],
    ['what a link leads to', ['./link'], (dir) => rename(join(dir, 'other'), join(dir, 'link'))],
  ]
  test.each(swaps)('%s', async (_, argv, swap) => {
    await using host = await openReadHost()
    const dir = await mkdtemp(join(tmpdir(), 'muster-swap-'))
    try {
      for (const file of [program(dir), beside(dir)]) await writeFile(file, 'echo deploy\n')
      await symlink(program(dir), join(dir, 'link'))
      await symlink(beside(dir), join(dir, 'other'))
      const changes = { argv, cwd: dir, env: { PATH: dir }, params: { argv } }
      const unchanged = await ask(host, changes)
      await host.resolve(unchanged.approval, 'approved')
      expect((await unchanged.outcome).outcome).toBe('approved')
      const { approval, outcome } = await ask(host, changes)
      await swap(dir)
      await host.resolve(approval, 'approved')
      await expect(outcome).rejects.toMatchObject({ code: 'approval.changed' })
    } finally {
      await rm(dir, { recursive: true })
    }
  })
})

test('denied: with the reason, and who said so as the hub names him', async () => {
  await using host = await openReadHost()
  const { approval, outcome } = await ask(host)
  const { id, digest } = approval
  const denial = { approval: id, digest, outcome: 'denied', reason: 'not now', by: 'tok_2' } as const
  await host.as(hub).call(resolveApproval, denial)
  expect(await outcome).toEqual({ outcome: 'denied', reason: 'not now', by: 'tok_2' })
})

test('nobody answers in time: timeout, and a late answer is refused', async () => {
  await using host = await openReadHost({ expiryMs: 50 })
  const { approval, outcome } = await ask(host)
  expect((await outcome).outcome).toBe('timeout')
  await expect(host.resolve(approval, 'approved')).rejects.toMatchObject({ code: 'approval.resolved' })
})

test('who follows and cannot hand it on has not read it: when its time is over nobody could be asked', async () => {
  // As a worker does whose bucket is away, and then one whose bucket takes it.
  for (const [expiryMs, isHandedOn, expected] of [
    [100, false, 'unavailable'],
    [1_500, true, 'timeout'],
  ] as const) {
    await using host = await openAskingHost({ expiryMs })
    const following = host.as(hub).items(followApprovals, { follow: true })[Symbol.asyncIterator]()
    const taken = following.next()
    const { outcome } = await ask(host)
    await taken
    const cameBack = isHandedOn ? following.next() : undefined
    expect((await outcome).outcome).toBe(expected)
    await cameBack
  }
})

test.each([
  ['goes on while the machine sleeps ends a question', 11],
  ['is set back prolongs none', -60],
])('a clock that %s', async (_, minutes) => {
  await using host = await openReadHost(minutes < 0 ? { expiryMs: 300 } : {})
  vi.useFakeTimers({ toFake: ['Date'] })
  try {
    const { approval, outcome } = await ask(host)
    vi.setSystemTime(Date.now() + minutes * 60_000)
    if (minutes < 0) await outcome
    await expect(host.resolve(approval, 'approved')).rejects.toMatchObject({ code: 'approval.resolved' })
    expect(['timeout', 'unavailable']).toContain((await outcome).outcome)
  } finally {
    vi.useRealTimers()
  }
})

test('no hub reads it: unavailable, which is no denial and does not stick', async () => {
  await using host = await openAskingHost({ patienceMs: 50 })
  const { outcome } = await ask(host)
  expect((await outcome).outcome).toBe('unavailable')
  host.follow()
  const { approval, outcome: later } = await ask(host)
  await host.resolve(approval, 'approved')
  expect((await later).outcome).toBe('approved')
})

test('an asker who leaves takes the question with him', async () => {
  await using host = await openReadHost()
  const leaving = new AbortController()
  const { approval, outcome } = await ask(host, {}, leaving.signal)
  leaving.abort(failure('call.cancelled'))
  await expect(outcome).rejects.toMatchObject({ code: 'call.cancelled' })
  await vi.waitFor(async () => expect(await host.pending()).toEqual([]), 30_000)
  await expect(host.resolve(approval, 'approved')).rejects.toMatchObject({ code: 'approval.resolved' })
})

test('a question whose link broke stays, and the same question goes on from there', async () => {
  await using host = await openReadHost()
  const link = new AbortController()
  const { approval, outcome } = await ask(host, {}, link.signal)
  link.abort(failure('wire.closed', { reason: 'the hub was killed' }))
  await expect(outcome).rejects.toMatchObject({ code: 'wire.closed' })
  expect(await host.pending()).toMatchObject([{ id: approval.id }])
  const again = await ask(host)
  expect(again.approval.id).toBe(approval.id)
  await host.resolve(approval, 'approved')
  expect((await again.outcome).outcome).toBe('approved')
})

test('what was approved while nobody waited is begun once, by who asks for just that', async () => {
  await using host = await openReadHost()
  const link = new AbortController()
  const { approval, outcome } = await ask(host, {}, link.signal)
  link.abort(failure('wire.closed', { reason: 'the hub was killed' }))
  await expect(outcome).rejects.toMatchObject({ code: 'wire.closed' })
  await host.resolve(approval, 'approved')
  const asked = await Promise.all([ask(host, { params: { script: 'echo other' } }), ask(host), ask(host)])
  const begun = asked.filter((each) => each.approval.id === approval.id)
  expect(begun).toHaveLength(1)
  expect(begun[0]?.approval.asked.params).toEqual({ script: 'echo hi' })
  expect((await begun[0]?.outcome)?.outcome).toBe('approved')
  expect(await host.pending()).toHaveLength(2)
})

test('a host that was killed ends what it had asked: nobody waits for it any more', async () => {
  await using host = await openReadHost()
  const { approval, outcome } = await ask(host)
  outcome.catch(() => undefined)
  await host.crash()
  const changes: Approval[] = []
  for await (const change of host.as(hub).items(followApprovals, {})) changes.push(change.approval)
  expect(changes).toMatchObject([{ id: approval.id, state: 'unavailable' }])
  await expect(host.resolve(approval, 'approved')).rejects.toMatchObject({ code: 'approval.resolved' })
})

test('a reader that has read another life of the host begins anew', async () => {
  await using host = await openReadHost()
  const { approval } = await ask(host)
  const changes: Approval[] = []
  for await (const change of host.as(hub).items(followApprovals, { after: 1_000 })) changes.push(change.approval)
  expect(changes).toMatchObject([{ id: approval.id }])
})

test('for a session: the same shape runs without a question, in that session, for that asker, until it is taken back', async () => {
  await using host = await openReadHost()
  const inSession = { command: 'exec', params: { argv: ['git', 'status'] }, env: { PATH: '/usr/bin' }, session: 's1' }
  const { approval, outcome } = await ask(host, inSession)
  await host.resolve(approval, 'approved_session')
  expect((await outcome).outcome).toBe('approved_session')

  const alike = question({ ...inSession, params: { argv: ['git', 'log'] } })
  expect(await host.approvals.ask(alike, waiting)).toEqual({ outcome: 'approved_session', by: hub.id })
  const others = [
    { ...inSession, params: { argv: ['rm', '-rf', '/'] } },
    { ...inSession, argv: ['rm'] },
    { ...inSession, params: { argv: ['git', 'status'], cwd: '/' } },
    { ...inSession, cwd: '/elsewhere' },
    { ...inSession, env: { GIT_DIR: '/x' } },
    { ...inSession, env: { PATH: '/tmp/evil' } },
    { ...inSession, script: 'x' },
    { ...inSession, session: 's2' },
    { ...inSession, session: null },
    { ...inSession, asker: 'tok_2' },
    { ...inSession, command: 'exec.other' },
  ]
  for (const changes of others) expect((await ask(host, changes)).approval.state).toBe('pending')
  expect(await host.forget(approval)).toBe(true)
  expect(await host.forget(approval)).toBe(false)
  expect((await ask(host, inSession)).approval.state).toBe('pending')
})

test('a session approval ends by itself', async () => {
  await using host = await openReadHost({ sessionMs: 50 })
  const { approval } = await ask(host, { session: 's' })
  await host.resolve(approval, 'approved_session')
  await vi.waitFor(async () => {
    const leaving = new AbortController()
    const asked = host.approvals.ask(question({ session: 's' }), leaving.signal, () => leaving.abort(failure('call.cancelled')))
    await expect(asked).rejects.toMatchObject({ code: 'call.cancelled' })
  }, 30_000)
})

test('no session, no approval for one', async () => {
  await using host = await openReadHost()
  const { approval } = await ask(host)
  await expect(host.resolve(approval, 'approved_session')).rejects.toMatchObject({ code: 'approval.no_session' })
  expect(await host.pending()).toHaveLength(1)
})

test('at most 20 wait at once, and 60 an hour are asked for one asker', async () => {
  await using host = await openReadHost()
  for (let n = 0; n < 60; n++) {
    const { approval } = await ask(host, { params: { n } })
    if (n >= 19) await host.resolve(approval, 'denied')
  }
  await expect(host.approvals.ask(question(), waiting)).rejects.toMatchObject({ code: 'approval.too_often' })
  await ask(host, { asker: 'tok_2' })
  await expect(host.approvals.ask(question({ asker: 'tok_3' }), waiting)).rejects.toMatchObject({ code: 'approval.too_many' })
})

test('what cannot be shown cannot be asked', async () => {
  await using host = await openAskingHost()
  const large = question({ params: { script: 'x'.repeat(300_000) } })
  await expect(host.approvals.ask(large, waiting)).rejects.toMatchObject({ code: 'approval.too_large' })
})
