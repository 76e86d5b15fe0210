// The fleet's own management as commands of `local`: nobody can do by one of them what he cannot do without it, and a person is asked each
// time.

import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { approveApproval, type FleetApproval, listApprovals } from '../../src/contract/approval.ts'
import { invokeCommand, listCommands } from '../../src/contract/command.ts'
import { direct } from '../../src/contract/direct.ts'
import { asMusterError } from '../../src/contract/errors.ts'
import { listHosts } from '../../src/contract/host.ts'
import type { Principal } from '../../src/contract/implementation.ts'
import { scopes } from '../../src/contract/operation.ts'
import { listPairings } from '../../src/contract/pairing.ts'
import { callProc } from '../../src/contract/proc.ts'
import { localOperator, revokeToken } from '../../src/contract/token.ts'
import { memoryChannels } from '../../src/wire/channels/memory.ts'
import { temporaryIdentity } from '../../src/wire/identity.ts'
import { dialPairing } from '../../src/wire/pairing.ts'
import { until } from '../resources/muster.ts'
import { type Person, type ServedTestHub, serveTestHub } from './served-hub.ts'

async function expose({ home }: ServedTestHub, ...commands: string[]): Promise<void> {
  await mkdir(join(home.path, 'node'), { recursive: true, mode: 0o700 })
  const rules = commands.map((command) => `[[rule]]\neffect = "allow"\ncommand = "${command}"\n`)
  await writeFile(join(home.path, 'node', 'policy.toml'), rules.join('\n'), { mode: 0o600 })
}

const invoke = (who: Pick<Person, 'host'>, command: string, params = {}, more = {}) =>
  who.host('local').call(invokeCommand, { command, params, ...more })

const refusal = (asked: Promise<unknown>) =>
  asked.then(
    () => 'nothing',
    (error: unknown) => asMusterError(error).code,
  )

/** What waits beside what is known already. */
const waits = (hub: ServedTestHub, ...known: FleetApproval[]) =>
  until('a question is there', async () => {
    const { approvals } = await hub.caller.call(listApprovals, {})
    return approvals.find(({ id }) => known.every((one) => one.id !== id))
  })

/** A person at the hub lets it run, past all commands. */
async function say(hub: ServedTestHub, { id, digest }: FleetApproval, session = false): Promise<void> {
  await direct(hub.hub.offers, localOperator).call(approveApproval, { approval: id, digest, session })
}

/** The digits that a machine shows which asks to be let in. */
function askIn(hub: ServedTestHub, name: string): Promise<string> {
  const [hubEnd, nodeEnd] = memoryChannels()
  void hub.acceptPairing(hubEnd)
  const shown = Promise.withResolvers<string>()
  const wishes = { name, platform: 'linux', arch: 'x64', asks: ['runs', 'exec'] }
  dialPairing(nodeEnd, {
    identity: temporaryIdentity(),
    software: '1',
    timeoutMs: 30_000,
    wishes,
    onCode: ({ code }) => shown.resolve(code),
  }).catch(shown.reject)
  return shown.promise
}

test('they are hidden until the policy of that machine names them, and nobody but who may administer has them', async () => {
  await using hub = await serveTestHub()
  const boss = await hub.person('operator')
  const names = async () => (await boss.host('local').call(listCommands, {})).commands.map(({ name }) => name)
  expect((await names()).filter((name) => name.startsWith('fleet.'))).toEqual([])
  await expose(hub, 'fleet.*')
  expect((await names()).filter((name) => name.startsWith('fleet.'))).toEqual([
    'fleet.approve',
    'fleet.enroll',
    'fleet.expose',
    'fleet.list',
  ])
  expect(await invoke(boss, 'fleet.list')).toMatchObject({ result: { hosts: [{ name: 'local' }] } })
  for (const role of ['viewer', 'approver'] as const) {
    const person = await hub.person(role)
    for (const command of ['fleet.list', 'fleet.enroll', 'fleet.approve', 'fleet.expose'])
      expect(await refusal(invoke(person, command))).toBe('auth.forbidden')
  }
  // No role may operate and not administer; were there one, it would find the same door, also by way of the proc.
  const worker: Principal = { kind: 'user', id: boss.id, role: 'worker', scopes: new Set(['read', 'operate', 'approve']) }
  const local = direct(await hub.hub.host('local'), worker)
  expect(await refusal(local.call(invokeCommand, { command: 'fleet.list' }))).toBe('auth.forbidden')
  const params = { command: 'fleet.list', asker: 'local-socket' }
  expect(await refusal(local.call(callProc, { proc: 'service', method: 'command.invoke', params }))).toBe('auth.forbidden')
})

test('a machine is let in by one, after a person was asked, under the name of who invoked it; a host is enrolled and trusted with more', async () => {
  await using hub = await serveTestHub()
  await expose(hub, 'fleet.*')
  const agent = await hub.person('operator', { name: 'agent' })
  const code = await askIn(hub, 'laptop')
  const approving = invoke(agent, 'fleet.approve', { code, allow: ['runs'] })
  const asked = await waits(hub)
  expect(asked).toMatchObject({ host: 'local', asked: { command: 'fleet.approve', asker: agent.id }, askerName: 'agent' })
  expect((await hub.caller.call(listPairings, {})).pairings).toHaveLength(1)
  await say(hub, asked)
  expect(await approving).toMatchObject({ result: { approved: 'new', name: 'laptop' } })

  const enrolling = invoke(agent, 'fleet.enroll', { name: 'rack' })
  await say(hub, await waits(hub))
  expect(await enrolling).toMatchObject({ result: { name: 'rack', command: expect.stringContaining('muster node --hub') } })

  const exposing = invoke(agent, 'fleet.expose', { host: 'laptop', commands: ['exec'] })
  await say(hub, await waits(hub))
  expect(await exposing).toMatchObject({ result: { name: 'laptop', trust: ['runs', 'exec'] } })
  const { hosts } = await hub.caller.call(listHosts, {})
  expect(hosts.find(({ name }) => name === 'laptop')?.trust).toEqual(['runs', 'exec'])
  // Of this machine itself its own file decides, and no command writes that.
  const self = invoke(agent, 'fleet.expose', { host: 'local', commands: ['*'] })
  await say(hub, await waits(hub))
  expect(await refusal(self)).toBe('host.local_fixed')

  const did = (await hub.audit({ actor: agent.id })).map(({ action, decision, actor }) => [action, decision, actor.name])
  // With what was given away.
  const given = (await hub.audit({ actor: agent.id })).map(({ action, detail }) => [action, detail])
  expect(given).toContainEqual(['pairing.approve', { allow: 'runs' }])
  expect(given).toContainEqual(['fleet.trust', { add: 'exec' }])
  for (const action of ['pairing.approve', 'node.enroll', 'fleet.trust']) expect(did).toContainEqual([action, 'allowed', 'agent'])
})

test('nobody lets by one run what he waits for himself, whatever was approved before, and another may', async () => {
  await using hub = await serveTestHub()
  await expose(hub, 'fleet.*', 'shell')
  const model = await hub.person('operator', { name: 'model' })
  const other = await hub.person('operator', { name: 'other' })
  const waiting = invoke(model, 'shell', { script: 'echo ran' }, { session: 's' })
  const shell = await waits(hub)
  const params = { approval: shell.id, digest: shell.digest }

  const own = invoke(model, 'fleet.approve', params, { session: 's' })
  const first = await waits(hub, shell)
  // It belongs to no session, so that no answer counts for the next.
  expect(first.asked.session).toBeNull()
  await expect(say(hub, first, true)).rejects.toMatchObject({ code: 'approval.no_session' })
  await say(hub, first)
  expect(await refusal(own)).toBe('approval.own')
  const { approvals } = await hub.caller.call(listApprovals, {})
  expect(approvals.map(({ id, state }) => [id, state])).toEqual([[shell.id, 'pending']])

  const others = invoke(other, 'fleet.approve', params)
  await say(hub, await waits(hub, shell))
  expect(await others).toMatchObject({ result: { approved: 'approval', name: 'local' } })
  expect(await waiting).toMatchObject({ result: { code: 0, stdout: 'ran\n' } })
  expect((await hub.audit({ actor: other.id })).map(({ action }) => action)).toContain('approval.approve')
  expect((await hub.audit({ actor: model.id })).map(({ action }) => action)).not.toContain('approval.approve')
})

test('who lost his token while a person thought about it does nothing any more, and who is nobody here does nothing at all', async () => {
  await using hub = await serveTestHub()
  await expose(hub, 'fleet.*')
  const agent = await hub.person('operator')
  const local = await hub.hub.host('local')
  const by = (id: string, command: string, params = {}) => {
    const principal: Principal = { kind: 'user', id, role: 'operator', scopes: new Set(scopes) }
    return refusal(direct(local, principal).call(invokeCommand, { command, params }))
  }
  // Past the API, which ends it with the token.
  const enrolling = by(agent.id, 'fleet.enroll', { name: 'rack' })
  const asked = await waits(hub)
  await hub.caller.call(revokeToken, { token: agent.id })
  await say(hub, asked)
  expect(await enrolling).toBe('auth.invalid')
  expect(await by('made-up', 'fleet.list')).toBe('auth.invalid')
  expect((await hub.caller.call(listHosts, {})).hosts.map(({ name }) => name)).toEqual(['local'])
})

test('it approves one thing at a time, and only with what belongs to it', async () => {
  await using hub = await serveTestHub()
  await expose(hub, 'fleet.*')
  const boss = await hub.person('operator')
  for (const params of [
    {},
    { code: '123456', host: 'box' },
    { approval: `apr_${'0'.repeat(26)}` },
    { code: '123456', digest: 'a' },
  ])
    expect(await refusal(invoke(boss, 'fleet.approve', params))).toBe('input.invalid')
})
