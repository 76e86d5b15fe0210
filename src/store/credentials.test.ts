import { describe, expect, test } from 'vitest'
import { engines, testStore } from '../../test/resources/stores.ts'
import { allHealth, healthOf, saveHealth } from './health.ts'
import { addEnrolment, bindKey, findEnrolment, findNodeByKey, removeNode, replaceEnrolment, tokenMatches } from './nodes.ts'
import { createToken, findToken, listTokens, revokeToken } from './tokens.ts'

describe.each(engines)('tokens on %s', (engine) => {
  test('are found by their value until they are revoked, and the value is kept nowhere', async () => {
    await using store = await testStore(engine)
    const { row, value } = await createToken(store, { name: 'ci', role: 'viewer' })
    expect(await findToken(store, value)).toMatchObject({ id: row.id, role: 'viewer' })
    expect(await findToken(store, `${value}x`)).toBeUndefined()
    expect(JSON.stringify(await store.db.selectFrom('token').selectAll().execute())).not.toContain(value)
    expect(await revokeToken(store, row.id)).toMatchObject([{ id: row.id, revokedAt: expect.any(String) }])
    expect(await findToken(store, value)).toBeUndefined()
    await expect(revokeToken(store, row.id)).rejects.toMatchObject({ code: 'token.unknown' })
  })

  test('note their use, at most once a minute', async () => {
    await using store = await testStore(engine)
    const { value } = await createToken(store, { name: 'ci', role: 'operator' })
    await findToken(store, value)
    const [first] = await listTokens(store)
    await findToken(store, value)
    expect(first?.lastUsedAt).toEqual(expect.any(String))
    expect(await listTokens(store)).toEqual([first])
  })
})

describe.each(engines)('nodes on %s', (engine) => {
  test('a host is bound to the first key that shows its token, for good', async () => {
    await using store = await testStore(engine)
    await addEnrolment(store, { host: 'h', token: 'secret' })
    const enrolment = await findEnrolment(store, 'h')
    expect(enrolment && [tokenMatches(enrolment, 'secret'), tokenMatches(enrolment, 'other')]).toEqual([true, false])
    expect(await bindKey(store, 'h', 'key1')).toBe(true)
    expect(await bindKey(store, 'h', 'key1')).toBe(true)
    expect(await bindKey(store, 'h', 'key2')).toBe(false)
    expect(await findNodeByKey(store, 'key1')).toMatchObject({ host: 'h' })
    expect(await findNodeByKey(store, 'key2')).toBeUndefined()
  })

  test('of many keys that are bound at once, one is', async () => {
    await using store = await testStore(engine)
    await addEnrolment(store, { host: 'h', token: 'secret' })
    const bound = await Promise.all(Array.from({ length: 10 }, (_, n) => bindKey(store, 'h', `key${n}`)))
    expect(bound.filter((one) => one)).toHaveLength(1)
  })

  test('a key counts no longer once its token was replaced, until it has shown the new one, and no other key can', async () => {
    await using store = await testStore(engine)
    await addEnrolment(store, { host: 'h', token: 'secret' })
    await bindKey(store, 'h', 'key1')
    expect(await findNodeByKey(store, 'key1')).toEqual({ host: 'h', hasShownToken: true })
    await replaceEnrolment(store, { host: 'h', token: 'another' })
    expect(await findNodeByKey(store, 'key1')).toEqual({ host: 'h', hasShownToken: false })
    const enrolment = await findEnrolment(store, 'h')
    expect(enrolment && [tokenMatches(enrolment, 'secret'), tokenMatches(enrolment, 'another')]).toEqual([false, true])
    expect(await bindKey(store, 'h', 'key2')).toBe(false)
    expect(await bindKey(store, 'h', 'key1')).toBe(true)
    expect(await findNodeByKey(store, 'key1')).toEqual({ host: 'h', hasShownToken: true })
  })

  test('a token that no key has shown is replaced, and a host that never had one gets one', async () => {
    await using store = await testStore(engine)
    await addEnrolment(store, { host: 'h', token: 'secret' })
    for (const host of ['h', 'new']) {
      await replaceEnrolment(store, { host, token: `of ${host}` })
      const enrolment = await findEnrolment(store, host)
      expect(enrolment && tokenMatches(enrolment, `of ${host}`)).toBe(true)
      expect(await bindKey(store, host, `key of ${host}`)).toBe(true)
    }
  })

  test('a removed one is unknown', async () => {
    await using store = await testStore(engine)
    await addEnrolment(store, { host: 'h', token: 'secret' })
    await bindKey(store, 'h', 'key1')
    await removeNode(store, 'h')
    expect([await findEnrolment(store, 'h'), await findNodeByKey(store, 'key1')]).toEqual([undefined, undefined])
  })
})

describe.each(engines)('health on %s', (engine) => {
  test('keeps what a host last said when it is only seen', async () => {
    await using store = await testStore(engine)
    const info = {
      version: '1',
      protocol: 1,
      platform: 'linux',
      arch: 'x64',
      hostname: 'h',
      cores: 2,
      memoryBytes: null,
      bootedAt: null,
      activeRuns: 0,
      clock: '2026-01-01T00:00:00.000Z',
      catalogSize: null,
      backends: null,
      kinds: ['command' as const],
      allows: ['runs'],
    }
    await saveHealth(store, 'h', { lastSeenAt: '2026-01-01T00:00:00.000Z', info, clockOffsetMs: -40 })
    await saveHealth(store, 'h', { lastSeenAt: '2026-01-01T00:00:05.000Z' })
    expect(await healthOf(store, 'h')).toEqual({ lastSeenAt: '2026-01-01T00:00:05.000Z', info, clockOffsetMs: -40 })
    expect(await healthOf(store, 'none')).toBeUndefined()
    expect([...(await allHealth(store)).keys()]).toEqual(['h'])
  })
})
