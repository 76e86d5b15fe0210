// The audit log of a hub that is asked over its API, and of the hosts behind it: nothing that is asked is left out, and nothing is
// told that should not be.

import { join } from 'node:path'
import { expect, test } from 'vitest'
import { routes } from '../../src/api/routes.ts'
import { approveApproval, followApprovals, linkApproval, listApprovals, showApproval } from '../../src/contract/approval.ts'
import { exportAudit, verifyAudit } from '../../src/contract/audit.ts'
import { invokeCommand, invokeOnFleet } from '../../src/contract/command.ts'
import { failure } from '../../src/contract/errors.ts'
import { getHubInfo, submitRun } from '../../src/contract/fleet.ts'
import { addHost, enrollNode, labelHost, listHosts, removeHost, replaceHostToken } from '../../src/contract/host.ts'
import type { Implementation } from '../../src/contract/implementation.ts'
import { listPairings, rejectPairing } from '../../src/contract/pairing.ts'
import { applyProc, callProc } from '../../src/contract/proc.ts'
import { cancelRun } from '../../src/contract/run.ts'
import { createToken, revokeToken } from '../../src/contract/token.ts'
import { findAudit } from '../../src/store/audit.ts'
import { openStore } from '../../src/store/store.ts'
import { memoryChannels } from '../../src/wire/channels/memory.ts'
import { dialHandshake } from '../../src/wire/handshake.ts'
import { type Identity, temporaryIdentity } from '../../src/wire/identity.ts'
import { dialPairing } from '../../src/wire/pairing.ts'
import { makeHome } from '../resources/home.ts'
import { until } from '../resources/muster.ts'
import { openTestHub, type TestHub, type TestNode } from './hub-fixture.ts'
import { type ServedTestHub, serveTestHub } from './served-hub.ts'

const short = ({ actor, action, decision, why, host, subject }: Awaited<ReturnType<ServedTestHub['audit']>>[number]) => ({
  who: actor.name ?? actor.id,
  action,
  decision,
  why,
  host,
  subject,
})

/**
 * What the host itself has written of approvals and commands, oldest first, once there are so many entries. That one was let in is an
 * entry of its own where the question came late, and left out.
 */
async function ofHost({ home }: TestNode, entries: number) {
  await using store = await openStore({ file: join(home.path, 'host', 'host.db') })
  return await until(`there are ${entries} entries`, async () => {
    const found = (await findAudit(store, { limit: 100 })).entries.filter(
      ({ action, decision, digest }) => /^(command|approval)/.test(action) && (decision !== 'allowed' || digest !== null),
    )
    return found.length >= entries ? found.reverse() : undefined
  })
}

/** The entries once there is one like this among them. */
const untilThere = (hub: ServedTestHub, like: (entry: ReturnType<typeof short>) => boolean) =>
  until('it is in the log', async () => (await hub.audit()).map(short).find(like))

test('an invocation on many hosts has an entry for each of them, refused ones too', async () => {
  await using hub = await serveTestHub()
  await using open = await hub.join('open', undefined, ['system.info'])
  await using closed = await hub.join('closed', undefined, [])
  const boss = await hub.person('operator', { name: 'boss' })
  const { failed } = await boss.hub.call(invokeOnFleet, { hosts: ['open', 'closed'], command: 'system.info' })
  expect(failed).toBe(1)
  const entries = await until('both are in the log', async () => {
    const found = await hub.audit({ action: 'command.invoke' })
    return found.length >= 2 ? found : undefined
  })
  const decided = entries.map(({ host, decision, why, actor }) => ({ host, decision, why, who: actor.name }))
  expect(decided).toContainEqual({ host: open.host, decision: 'allowed', why: null, who: 'boss' })
  expect(decided).toContainEqual({ host: closed.host, decision: 'denied', why: 'policy.denied', who: 'boss' })
})

test('what was asked over the API is there with who asked and what was decided, and reading leaves no trace unless it is refused', async () => {
  await using hub = await serveTestHub()
  await using node = await hub.join('box')
  const before = (await hub.audit()).length
  const boss = await hub.person('operator', { name: 'boss' })
  const guest = await hub.person('viewer', { name: 'guest' })
  await boss.hub.call(listHosts, {})
  await boss.hub.call(labelHost, { host: 'BOX', set: { zone: 'eu' } })
  const run = await boss.hub.call(submitRun, { host: 'box', spec: { kind: 'command', argv: ['sleep', '600'] } })
  await boss.host('box').call(cancelRun, { run: run.id })
  await expect(guest.hub.call(submitRun, { spec: { kind: 'command', argv: ['true'] } })).rejects.toMatchObject({
    code: 'auth.forbidden',
  })
  await expect(boss.host('box').call(applyProc, { proc: 'p', spec: { argv: ['true'] } })).rejects.toMatchObject({
    code: 'policy.denied',
  })
  await expect(hub.stranger('guessed').hub.call(getHubInfo, {})).rejects.toMatchObject({ code: 'auth.invalid' })
  await untilThere(hub, ({ action }) => action === 'run.cancel')
  const entries = (await hub.audit()).map(short).reverse().slice(before)
  expect(entries).toEqual([
    { who: 'test', action: 'token.create', decision: 'allowed', why: null, host: null, subject: 'boss' },
    { who: 'test', action: 'token.create', decision: 'allowed', why: null, host: null, subject: 'guest' },
    { who: 'boss', action: 'fleet.label', decision: 'allowed', why: null, host: node.host, subject: null },
    { who: 'boss', action: 'fleet.submit', decision: 'allowed', why: null, host: node.host, subject: run.id },
    { who: 'boss', action: 'run.cancel', decision: 'allowed', why: null, host: node.host, subject: run.id },
    { who: 'guest', action: 'fleet.submit', decision: 'denied', why: 'auth.forbidden', host: null, subject: null },
    { who: 'boss', action: 'proc.apply', decision: 'denied', why: 'policy.denied', host: node.host, subject: 'p' },
    { who: '127.0.0.1', action: 'hub.info', decision: 'denied', why: 'auth.invalid', host: null, subject: null },
  ])
})

test('a question that nobody can answer is in both logs as such', async () => {
  await using hub = await serveTestHub()
  const unread = (its: Implementation): Implementation => new Map([...its].filter(([name]) => name !== followApprovals.name))
  await using node = await hub.join('box', unread, ['shell'])
  const boss = await hub.person('operator')
  await expect(boss.host('box').call(invokeCommand, { command: 'shell', params: { script: 'true' } })).rejects.toMatchObject({
    code: 'approval.unavailable',
  })
  const told = { action: 'command.invoke', decision: 'unavailable', why: 'approval.unavailable', subject: 'shell' }
  expect(await ofHost(node, 2)).toMatchObject([{ action: 'command.invoke', decision: 'asked' }, told])
  await untilThere(hub, ({ decision }) => decision === 'unavailable')
  expect((await hub.audit({ host: 'box' }))[0]).toMatchObject({ ...told, host: node.host, actor: { id: boss.id } })
})

test('a machine that dials and is not let in leaves an entry, with the key that it has proven and the host that this is', async () => {
  await using hub = await serveTestHub()
  const { token, host } = await hub.caller.call(enrollNode, { name: 'box' })
  const [own, other] = [temporaryIdentity(), temporaryIdentity()]
  await expect(dial(hub, other)).rejects.toMatchObject({ code: 'node.unknown' })
  await dial(hub, own, token)
  await expect(dial(hub, other, token)).rejects.toMatchObject({ code: 'enroll.token_used' })
  await hub.caller.call(replaceHostToken, { host })
  await expect(dial(hub, own, token)).rejects.toMatchObject({ code: 'enroll.token_invalid' })
  await expect(dial(hub, own)).rejects.toMatchObject({ code: 'node.token_replaced' })
  // Another's key, which he cannot sign with.
  await expect(dial(hub, { ...other, publicKey: own.publicKey })).rejects.toMatchObject({ code: 'wire.proof' })
  await hub.caller.call(removeHost, { host })
  await expect(dial(hub, own)).rejects.toMatchObject({ code: 'node.unknown' })
  const by = (subject: string | null, of: string | null) => ({
    decision: 'denied',
    actor: { kind: 'stranger', id: 'memory' },
    subject,
    host: of,
  })
  expect((await hub.audit({ action: 'tunnel.dial' })).reverse()).toMatchObject([
    { why: 'node.unknown', ...by(other.fingerprint, null) },
    { why: 'enroll.token_used', ...by(other.fingerprint, null) },
    { why: 'enroll.token_invalid', ...by(own.fingerprint, host) },
    { why: 'node.token_replaced', ...by(own.fingerprint, host) },
    { why: 'wire.proof', ...by(null, null) },
    { why: 'node.unknown', ...by(own.fingerprint, null) },
  ])
  expect(JSON.stringify(await hub.audit())).not.toContain(token)
})

test('so does one that asks to be let in and is turned away, or finds no room', async () => {
  await using hub = await serveTestHub()
  const asked = ['one', 'two', 'three'].map((name) => askIn(hub, name))
  const { pairings } = await until('three wait', async () => {
    const found = await hub.caller.call(listPairings, {})
    return found.pairings.length === 3 ? found : undefined
  })
  await expect(askIn(hub, 'four')).rejects.toMatchObject({ code: 'pairing.crowded' })
  for (const { id } of pairings.filter(({ name }) => name === 'one')) await hub.caller.call(rejectPairing, { pairing: id })
  await expect(asked[0]).rejects.toMatchObject({ code: 'pairing.rejected' })
  await untilThere(hub, ({ why }) => why === 'pairing.rejected')
  const told = (await hub.audit({ action: 'pairing.ask' })).map(short).reverse()
  expect(told).toMatchObject([
    { who: 'memory', decision: 'denied', why: 'pairing.crowded', subject: 'four' },
    { who: 'memory', decision: 'denied', why: 'pairing.rejected', subject: 'one' },
  ])
  for (const one of asked) one.catch(() => undefined)
})

test('a flood of machines that are not let in is twenty entries of its source and a count, whatever keys they prove', async () => {
  await using home = await makeHome()
  {
    await using hub = await openTestHub({ home })
    for (let n = 0; n < 60; n++) await expect(dial(hub, temporaryIdentity())).rejects.toMatchObject({ code: 'node.unknown' })
  }
  await using store = await openStore({ file: join(home.path, 'hub', 'hub.db') })
  const { entries } = await findAudit(store, { limit: 1000 })
  expect(entries.filter(({ action }) => action === 'tunnel.dial')).toHaveLength(20)
  expect(entries.filter(({ action }) => action === 'auth.refused')).toMatchObject([
    { actor: { kind: 'stranger', id: 'memory' }, decision: 'denied', detail: { more: 40 } },
  ])
})

async function dial(hub: TestHub, identity: Identity, credential?: string): Promise<void> {
  const [hubEnd, nodeEnd] = memoryChannels()
  const accepted = hub.acceptTunnel(hubEnd)
  try {
    await dialHandshake(nodeEnd, { identity, role: 'node', software: '1', timeoutMs: 30_000, ...(credential && { credential }) })
  } finally {
    nodeEnd.close(failure('wire.closed', { reason: 'the test is over' }))
    await accepted
  }
}

async function askIn(hub: TestHub, name: string): Promise<unknown> {
  const [hubEnd, nodeEnd] = memoryChannels()
  void hub.acceptPairing(hubEnd)
  return dialPairing(nodeEnd, {
    identity: temporaryIdentity(),
    software: '1',
    timeoutMs: 30_000,
    wishes: { name, platform: 'linux', arch: 'x64', asks: [] },
    onCode: () => {},
  })
}

test('the host has a log of its own, which the hub is not offered', async () => {
  await using hub = await serveTestHub()
  {
    await using node = await hub.join('box')
    const boss = await hub.person('operator')
    const run = await boss.hub.call(submitRun, { host: 'box', spec: { kind: 'command', argv: ['true'] } })
    await hub.endOf(run)
    await expect(boss.host('box').call(applyProc, { proc: 'p', spec: { argv: ['true'] } })).rejects.toMatchObject({
      code: 'policy.denied',
    })
    await using store = await openStore({ file: join(node.home.path, 'host', 'host.db') })
    const entries = await until('both are there', async () => {
      const found = (await findAudit(store, { limit: 10 })).entries.reverse()
      return found.length >= 2 ? found : undefined
    })
    expect(entries).toMatchObject([
      { action: 'run.start', decision: 'allowed', subject: run.id },
      { action: 'proc.apply', decision: 'denied', why: 'policy.denied', subject: 'p' },
    ])
    await expect(boss.host('box').call(callProc, { proc: 'service', method: 'audit.list', params: {} })).rejects.toMatchObject({
      code: 'operation.unknown',
    })
  }
})

test('an approval is there with its host, its digest and who answered, and is shown with the names of the people in it beside their ids', async () => {
  await using hub = await serveTestHub()
  await using node = await hub.join('box', undefined, ['shell'])
  const bot = await hub.person('operator', { name: "alice's agent" })
  const phone = await hub.person('approver', { name: "alice's phone" })
  const guest = await hub.person('viewer', { name: 'guest' })
  const invoked = bot.host('box').call(invokeCommand, { command: 'shell', params: { script: 'true' } })
  const asked = await until('it waits', async () => (await guest.hub.call(listApprovals, {})).approvals[0])
  expect(asked).toMatchObject({ asked: { asker: bot.id }, askerName: "alice's agent", resolution: null })
  const { id: approval, digest } = asked
  await expect(guest.hub.call(approveApproval, { approval, digest })).rejects.toMatchObject({ code: 'auth.forbidden' })
  const { url } = await phone.hub.call(linkApproval, { approval })
  await hub.hub.approvalLinks.answer(url.split('/').at(-1) ?? '', { outcome: 'approved' })
  expect(await invoked).toMatchObject({ result: { code: 0 } })
  const shown = await guest.hub.call(showApproval, { approval })
  expect(shown.resolution).toMatchObject({ by: `${phone.id} by a link`, byName: "alice's phone" })
  const entries = (await hub.audit({ host: 'box' })).filter(({ action }) => action.startsWith('approval.')).reverse()
  expect(entries).toMatchObject([
    { action: 'approval.approve', actor: { name: 'guest' }, decision: 'denied', host: node.host, subject: approval },
    { action: 'approval.link', actor: { name: "alice's phone" }, decision: 'allowed', host: node.host, subject: approval },
    { action: 'approval.approve', actor: { id: phone.id, role: 'link', name: "alice's phone" }, decision: 'allowed', digest },
  ])
  expect(await ofHost(node, 3)).toMatchObject([
    { action: 'command.invoke', decision: 'asked', subject: 'shell', digest, detail: { approval } },
    { action: 'approval.resolve', decision: 'allowed', subject: approval, digest },
    { action: 'command.invoke', decision: 'allowed', subject: 'shell', digest, detail: { approval } },
  ])
  // One that nobody knows is of no host.
  await expect(phone.hub.call(approveApproval, { approval: `apr_${'0'.repeat(26)}`, digest })).rejects.toMatchObject({
    code: 'approval.unknown',
  })
  expect((await hub.audit({ actor: phone.id }))[0]).toMatchObject({ action: 'approval.approve', host: null })
})

test('every operation that a viewer may not ask for leaves an entry when one does, on disk before it is answered', async () => {
  await using hub = await serveTestHub()
  const forbidden = routes.filter(({ operation }) => operation.scope !== 'read')
  for (const { operation, asks, place } of forbidden) {
    const viewer = await hub.person('viewer', { name: `${asks} ${operation.name}` })
    const path = place.path.replace(':host', 'local').replace(/:\w+/g, 'x1')
    const answer = await fetch(`${hub.url}${path}`, {
      method: place.method,
      headers: { Authorization: `Bearer ${viewer.token}` },
    })
    expect(answer.status).toBe(403)
    const [entry] = await hub.audit({ actor: viewer.id })
    expect(entry, operation.name).toMatchObject({ action: operation.name, decision: 'denied', why: 'auth.forbidden' })
  }
  expect(forbidden.length).toBeGreaterThan(15)
})

test('no secret and no value of a parameter gets into the log or its file', async () => {
  await using hub = await serveTestHub()
  const boss = await hub.person('operator')
  const secret = 'a-password-in-the-environment'
  const other = 'mtok_'.padEnd(69, 'f')
  await boss.hub.call(submitRun, {
    spec: { kind: 'command', argv: ['true', '--password', secret], env: { PASSWORD: secret }, cwd: '/' },
  })
  await boss.hub
    .call(addHost, { name: 'far', connector: { kind: 'http', url: 'http://127.0.0.1:9' }, secret: other, probe: false })
    .catch(() => undefined)
  await expect(boss.hub.call(revokeToken, { token: other })).rejects.toMatchObject({ code: 'token.unknown' })
  await expect(hub.stranger(other).hub.call(getHubInfo, {})).rejects.toMatchObject({ code: 'auth.invalid' })
  const { token } = await boss.hub.call(createToken, { name: 'x', role: 'viewer' })
  await untilThere(hub, ({ action }) => action === 'fleet.submit')
  const entries = await hub.audit()
  expect(entries.map(({ action }) => action)).toContain('token.revoke')
  for (const hidden of [secret, other, token, boss.token]) expect(JSON.stringify(entries)).not.toContain(hidden)
})

test('it is verified and exported over the API, by whoever holds the scope admin', async () => {
  await using hub = await serveTestHub()
  const boss = await hub.person('operator')
  const approver = await hub.person('approver')
  const verdict = await boss.hub.call(verifyAudit, {})
  expect(verdict).toMatchObject({ ok: true, firstBad: null, head: expect.stringMatching(/^\d+:[0-9a-f]{64}$/) })
  const lines: Uint8Array[] = []
  for await (const bytes of boss.hub.bytes(exportAudit, {})) lines.push(bytes)
  const exported = Buffer.concat(lines).toString().trimEnd().split('\n')
  expect(exported).toHaveLength(verdict.entries)
  expect(exported.map((line) => JSON.parse(line).n)).toEqual(exported.map((_, i) => i + 1))
  await expect(approver.hub.call(verifyAudit, {})).rejects.toMatchObject({ code: 'auth.forbidden' })
})
