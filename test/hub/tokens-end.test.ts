// Tokens that expire or are revoked while they are used, and what a token can mint.

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { routes } from '../../src/api/routes.ts'
import { invokeCommand } from '../../src/contract/command.ts'
import { direct } from '../../src/contract/direct.ts'
import { asMusterError } from '../../src/contract/errors.ts'
import { followEvents } from '../../src/contract/event.ts'
import { getHubInfo } from '../../src/contract/fleet.ts'
import { enrollNode } from '../../src/contract/host.ts'
import { type Implementation, implement, type Principal } from '../../src/contract/implementation.ts'
import { scopes } from '../../src/contract/operation.ts'
import { createToken, listTokens, revokeToken, startTokenId, tokenRoles } from '../../src/contract/token.ts'
import { openAccess } from '../../src/hub/access.ts'
import { openTestHome } from '../../src/hub/test-parts.ts'
import { until } from '../resources/muster.ts'
import { serveTestHub } from './served-hub.ts'

/** Follows a run that goes on; `ended`: with which code the reader was told that it is over. */
async function follow(hub: Awaited<ReturnType<typeof serveTestHub>>, token: string) {
  const run = await hub.submit({ kind: 'command', argv: ['sh', '-c', 'read line'], stdin: 'open' })
  const begun = Promise.withResolvers<void>()
  const read = async () => {
    for await (const _event of hub.stranger(token).host('local').items(followEvents, { run: run.id, follow: true }))
      begun.resolve()
    return 'ended'
  }
  const ended = read().catch((error: unknown) => asMusterError(error).code)
  await Promise.race([begun.promise, ended])
  return { ended }
}

test('a token is good until it expires: then it is auth.expired, and what it has open ends', async () => {
  await using hub = await serveTestHub()
  const lasting = await hub.person('viewer')
  const brief = await hub.person('viewer', { expiresInMs: 5_000 })
  await brief.hub.call(getHubInfo, {})
  const [one, other] = await Promise.all([follow(hub, brief.token), follow(hub, lasting.token)])
  expect(await one.ended).toBe('auth.expired')
  await expect(brief.hub.call(getHubInfo, {})).rejects.toMatchObject({ code: 'auth.expired' })
  // The other's is as open as before.
  expect(await Promise.race([other.ended, lasting.hub.call(getHubInfo, {}).then(() => 'open')])).toBe('open')
  const { tokens } = await hub.caller.call(listTokens, {})
  expect(tokens.find(({ id }) => id === brief.id)).toMatchObject({
    createdBy: 'test',
    expiresAt: expect.any(String),
    lastUsedAt: expect.any(String),
    revokedAt: null,
  })
})

test('what a token has open ends when it is revoked, also by itself, whose answer still comes', async () => {
  await using hub = await serveTestHub()
  const someone = await hub.person('viewer')
  const { ended } = await follow(hub, someone.token)
  await hub.caller.call(revokeToken, { token: someone.id })
  expect(await ended).toBe('auth.invalid')
  const own = await hub.person('operator')
  const following = await follow(hub, own.token)
  expect(await own.hub.call(revokeToken, { token: own.id })).toMatchObject({ id: own.id })
  expect(await following.ended).toBe('auth.invalid')
  await expect(own.hub.call(getHubInfo, {})).rejects.toMatchObject({ code: 'auth.invalid' })
})

test('an invocation ends with the token of who waits for it, and with it what it has begun', async () => {
  await using hub = await serveTestHub()
  const begun = Promise.withResolvers<void>()
  const over = Promise.withResolvers<void>()
  const answers = implement(invokeCommand, (_input, { signal, progress }) => {
    begun.resolve()
    progress({ stream: 'stdout', text: 'begun' })
    signal.addEventListener('abort', () => over.resolve())
    return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
  })
  const offering = (its: Implementation) => new Map([...its, [invokeCommand.name, answers] as const])
  await using _node = await hub.join('box', offering)
  const someone = await hub.person('operator')
  const invoking = someone.host('box').call(invokeCommand, { command: 'exec' })
  const ended = invoking.then(
    () => 'answered',
    () => 'ended',
  )
  await begun.promise
  await hub.caller.call(revokeToken, { token: someone.id })
  await over.promise
  expect(await ended).toBe('ended')
})

test('of two tokens of one name neither is revoked by it; an id counts before a name', async () => {
  await using hub = await serveTestHub()
  const one = await hub.person('viewer', { name: 'ci' })
  const other = await hub.person('viewer', { name: 'ci' })
  const revoke = (token: string) => hub.caller.call(revokeToken, { token })
  await expect(revoke('ci')).rejects.toMatchObject({ code: 'token.ambiguous', hint: expect.stringContaining(one.id) })
  for (const person of [one, other]) await person.hub.call(getHubInfo, {})
  const posing = await hub.person('viewer', { name: one.id })
  expect(await revoke(one.id)).toMatchObject({ id: one.id })
  await posing.hub.call(getHubInfo, {})
  // Of those that are still good, it is the only one.
  expect(await revoke('ci')).toMatchObject({ id: other.id })
  await expect(revoke('ci')).rejects.toMatchObject({ code: 'token.unknown' })
})

test("a token that came with the hub's start is an operator's for as long as the hub is open, and so are the links that it has made", async () => {
  await using home = await openTestHome()
  using access = openAccess({ store: home.store, token: 'mtok_start' })
  expect(await access.authenticate('mtok_start')).toMatchObject({ id: startTokenId, role: 'operator' })
  expect(await access.authenticate('mtok_starts')).toBeUndefined()
  expect(await access.mayStill(startTokenId, 'approve')).toBe(true)
  using without = openAccess({ store: home.store })
  expect(await without.authenticate('mtok_start')).toBeUndefined()
  expect(await without.mayStill(startTokenId, 'approve')).toBe(false)
})

test('nobody mints a token that can do more than his own', async () => {
  await using hub = await serveTestHub()
  for (const role of ['viewer', 'approver'] as const) {
    const person = await hub.person(role)
    for (const wanted of tokenRoles) {
      await expect(person.hub.call(createToken, { name: 'x', role: wanted })).rejects.toMatchObject({ code: 'auth.forbidden' })
    }
    await expect(person.hub.call(listTokens, {})).rejects.toMatchObject({ code: 'auth.forbidden' })
    await expect(person.hub.call(revokeToken, { token: person.id })).rejects.toMatchObject({ code: 'auth.forbidden' })
  }
  // No role has these scopes; were there one, it would find the same door.
  const clerk: Principal = { kind: 'user', id: 'clerk', role: 'clerk', scopes: new Set(['read', 'admin']) }
  const mint = (role: (typeof tokenRoles)[number]) => direct(hub.hub.offers, clerk).call(createToken, { name: 'x', role })
  await expect(mint('operator')).rejects.toMatchObject({ code: 'token.exceeds' })
  await expect(mint('approver')).rejects.toMatchObject({ code: 'token.exceeds' })
  expect(await mint('viewer')).toMatchObject({ role: 'viewer', createdBy: 'clerk' })
})

test('nor one that outlives his own', async () => {
  await using hub = await serveTestHub()
  const parent = await hub.person('operator', { expiresInMs: 3_600_000 })
  const { tokens } = await hub.caller.call(listTokens, {})
  const { expiresAt } = tokens.find(({ id }) => id === parent.id) ?? {}
  const mint = (expiresInMs?: number) =>
    parent.hub.call(createToken, { name: 'child', role: 'viewer', ...(expiresInMs !== undefined && { expiresInMs }) })
  expect(await mint()).toMatchObject({ expiresAt, createdBy: parent.id })
  await expect(mint(7_200_000)).rejects.toMatchObject({ code: 'token.exceeds' })
  const shorter = await mint(60_000)
  expect(Date.parse(shorter.expiresAt ?? '')).toBeLessThan(Date.parse(expiresAt ?? ''))
})

test('a token that is revoked takes with it all that it has minted, down to the last, and whatever they have open; others stay', async () => {
  await using hub = await serveTestHub()
  const boss = await hub.person('operator', { name: 'boss' })
  const child = await boss.hub.call(createToken, { name: 'child', role: 'operator' })
  const grandchild = await hub.stranger(child.token).hub.call(createToken, { name: 'grandchild', role: 'viewer' })
  const sibling = await hub.person('operator', { name: 'sibling' })
  const open = await Promise.all([child, grandchild, sibling].map(({ token }) => follow(hub, token)))
  const revoked = await hub.caller.call(revokeToken, { token: boss.id })
  expect(revoked).toMatchObject({ id: boss.id, minted: [{ id: child.id }, { id: grandchild.id }] })
  expect(await open[0]?.ended).toBe('auth.invalid')
  expect(await open[1]?.ended).toBe('auth.invalid')
  for (const { token } of [boss, child, grandchild])
    await expect(hub.stranger(token).hub.call(getHubInfo, {})).rejects.toMatchObject({ code: 'auth.invalid' })
  expect(await sibling.hub.call(getHubInfo, {})).toMatchObject({ version: '0.0.0-test' })
  // Each is named, so nothing was left to be revoked.
  await expect(hub.caller.call(revokeToken, { token: grandchild.id })).rejects.toMatchObject({ code: 'token.unknown' })
})

test('a request that was let in before its token was revoked mints nothing any more', async () => {
  await using hub = await serveTestHub()
  const boss = await hub.person('operator', { name: 'boss' })
  const letIn: Principal = { kind: 'user', id: boss.id, role: 'operator', scopes: new Set(scopes) }
  const mint = () => direct(hub.hub.offers, letIn).call(createToken, { name: 'child', role: 'operator' })
  await mint()
  await hub.caller.call(revokeToken, { token: boss.id })
  await expect(mint()).rejects.toMatchObject({ code: 'auth.invalid' })
  const { tokens } = await hub.caller.call(listTokens, {})
  expect(tokens.filter(({ revokedAt }) => revokedAt === null)).toEqual([])
})

test('nothing that a node holds is a token: its key, its enrolment token and its fingerprint are refused on every route', async () => {
  await using hub = await serveTestHub()
  const { token } = await hub.caller.call(enrollNode, { name: 'box' })
  const key = await readFile(join(hub.home.path, 'hub', 'key'), 'utf8')
  const held = [token, hub.hub.id, Buffer.from(key).toString('base64'), key.replace(/-.*-|\s/g, '')]
  for (const { place } of routes) {
    const path = place.path.replace(':host', 'local').replace(/:\w+/g, 'x1')
    for (const bearer of held) {
      const answer = await fetch(`${hub.url}${path}`, { method: place.method, headers: { Authorization: `Bearer ${bearer}` } })
      expect([answer.status, ((await answer.json()) as { code: string }).code], `${place.method} ${path}`).toEqual([
        401,
        'auth.invalid',
      ])
    }
  }
  await until('the log has them', async () => ((await hub.audit({ decision: 'denied' })).length > 0 ? true : undefined))
  const said = JSON.stringify(await hub.audit())
  for (const bearer of held) expect(said).not.toContain(bearer)
})
