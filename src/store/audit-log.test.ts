import { pino } from 'pino'
import { expect, test, vi } from 'vitest'
import { testStore } from '../../test/resources/stores.ts'
import type { NewAuditEntry } from '../contract/audit.ts'
import { failure } from '../contract/errors.ts'
import { checkAudit, findAudit } from './audit.ts'
import { openAuditLog } from './audit-log.ts'
import { openRefusals } from './refusals.ts'
import type { Store } from './store.ts'

const log = pino({ level: 'silent' })
const plain: NewAuditEntry = {
  actor: { kind: 'user', id: 'tok_1', role: 'operator' },
  action: 'run.start',
  decision: 'allowed',
}
const subjectsOf = async (store: Store) =>
  (await findAudit(store, { limit: 1000 })).entries.map(({ subject, decision }) => `${subject} ${decision}`).reverse()

/** The store with its writes counted, and refused while `broken`. */
function countedStore(store: Store) {
  const counted = { writes: 0, broken: false }
  const write: Store['write'] = (work) => {
    counted.writes += 1
    return counted.broken ? Promise.reject(failure('store.unavailable', { problem: 'no room' })) : store.write(work)
  }
  return { counted, store: { ...store, write, [Symbol.asyncDispose]: () => store[Symbol.asyncDispose]() } }
}

test('entries that nobody waits for share a commit; one that must be durable takes them along and is on disk before it answers', async () => {
  await using opened = await testStore('sqlite')
  const { counted, store } = countedStore(opened)
  await using audit = openAuditLog(store, log, 'the test')
  for (let i = 0; i < 200; i += 1) audit.note({ ...plain, subject: `${i}` })
  await audit.record({ ...plain, subject: 'grave' }, { durable: true })
  expect(counted.writes).toBe(1)
  expect(await subjectsOf(store)).toEqual([...Array.from({ length: 200 }, (_, i) => `${i} allowed`), 'grave allowed'])
  audit.note({ ...plain, subject: 'alone' })
  await vi.waitFor(async () => expect(await subjectsOf(store)).toContain('alone allowed'), 30_000)
  expect(counted.writes).toBe(2)
})

test('an entry is mended until it is taken, and not after', async () => {
  await using store = await testStore('sqlite')
  await using audit = openAuditLog(store, log, 'the test')
  const noted = audit.note({ ...plain, subject: 'a' })
  expect(noted.mend({ decision: 'denied', why: 'policy.denied' })).toBe(true)
  await noted.tried()
  expect(await subjectsOf(store)).toEqual(['a denied'])
  expect(noted.mend({ decision: 'allowed', why: null })).toBe(false)
})

test('while nothing can be written, what must be durable is refused, the rest is kept in order, and all of it is there later', async () => {
  await using opened = await testStore('sqlite')
  const { counted, store } = countedStore(opened)
  await using audit = openAuditLog(store, log, 'the test')
  counted.broken = true
  audit.note({ ...plain, subject: 'a' })
  await expect(audit.record({ ...plain, subject: 'grave' }, { durable: true })).rejects.toMatchObject({
    code: 'store.unavailable',
  })
  await audit.note({ ...plain, subject: 'b' }).tried()
  for (let i = 0; i < 10_000; i += 1) audit.note({ ...plain, subject: 'c' })
  expect(() => audit.room()).toThrow(expect.objectContaining({ code: 'store.unavailable' }))
  counted.broken = false
  await audit.record({ ...plain, subject: 'last' }, { durable: true })
  expect(audit.room()).toBeUndefined()
  const { entries } = await findAudit(store, { limit: 1000 })
  expect([entries.at(0)?.n, entries.at(0)?.subject]).toEqual([10_003, 'last'])
  expect(await checkAudit(store)).toMatchObject({ ok: true, entries: 10_003 })
})

test('what was noted is written before it closes', async () => {
  await using store = await testStore('sqlite')
  {
    await using audit = openAuditLog(store, log, 'the test')
    for (let i = 0; i < 700; i += 1) audit.note({ ...plain, subject: `${i}` })
  }
  expect(await checkAudit(store)).toMatchObject({ ok: true, entries: 700 })
})

test('who brings more than the disk takes waits until there is room', async () => {
  await using store = await testStore('sqlite')
  await using audit = openAuditLog(store, log, 'the test')
  for (let i = 0; i < 10_000; i += 1) audit.note(plain)
  const wait = audit.room()
  expect(wait).toBeInstanceOf(Promise)
  await wait
  expect((await checkAudit(store)).entries).toBeGreaterThan(0)
})

test('of a flood of refusals the first ones are recorded and the rest is counted, by source', async () => {
  await using store = await testStore('sqlite')
  {
    await using audit = openAuditLog(store, log, 'the test')
    using refusals = openRefusals(audit)
    const denied = (kind: 'user' | 'stranger', id: string): NewAuditEntry => ({
      actor: { kind, id, role: 'none' },
      action: 'hub.info',
      decision: 'denied',
      why: 'auth.invalid',
    })
    const flood = Array.from({ length: 3_000 }, () => refusals.take(denied('stranger', '192.0.2.1')))
    for (let i = 0; i < 2_000; i += 1) flood.push(refusals.take(denied('stranger', `2001:db8::${i}`)))
    flood.push(refusals.take(denied('user', 'tok_1')))
    await Promise.all(flood)
  }
  const { entries } = await findAudit(store, { limit: 1000 })
  const own = entries.filter(({ action }) => action === 'hub.info')
  const counts = entries.filter(({ action }) => action === 'auth.refused')
  expect(own).toHaveLength(141)
  expect(own.filter(({ actor }) => actor.id === '192.0.2.1')).toHaveLength(20)
  expect(own.filter(({ actor }) => actor.kind === 'user')).toHaveLength(1)
  expect(counts.find(({ actor }) => actor.id === '192.0.2.1')?.detail).toEqual({ more: 2_980 })
  const counted = counts.reduce((sum, { detail }) => sum + Number(detail?.more), 0)
  expect(counted).toBe(5_001 - own.length)
  expect(entries).toHaveLength(143)
})

test('prints what an entry costs', async () => {
  await using store = await testStore('sqlite')
  await using audit = openAuditLog(store, log, 'the test')
  const count = 5_000
  const begun = performance.now()
  for (let i = 0; i < count; i += 1) audit.note({ ...plain, subject: `run_${i}`, host: 'local' })
  const notedMs = performance.now() - begun
  await audit.record(plain, { durable: true })
  const plainUs = ((performance.now() - begun) * 1000) / count
  const graves = 200
  const alone = performance.now()
  for (let i = 0; i < graves; i += 1) await audit.record(plain, { durable: true })
  const graveUs = ((performance.now() - alone) * 1000) / graves
  console.log(
    `audit: ${((notedMs * 1000) / count).toFixed(1)} µs to note an entry, ${plainUs.toFixed(1)} µs of the process for it in all, ` +
      `${graveUs.toFixed(0)} µs until one is durable`,
  )
  expect((await checkAudit(store)).entries).toBe(count + 1 + graves)
})
