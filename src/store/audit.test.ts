import fc from 'fast-check'
import { sql } from 'kysely'
import { describe, expect, test } from 'vitest'
import { engines, type TestStore, testStore } from '../../test/resources/stores.ts'
import type { AuditEntry } from '../contract/audit.ts'
import { appendAudit, checkAudit, findAudit, readAudit } from './audit.ts'
import { chainStart, checkChain } from './audit-chain.ts'
import { canonicalJson } from './canonical.ts'

const at = (second: number) => new Date(Date.UTC(2026, 0, 1, 0, 0, second)).toISOString()
const actor = { kind: 'user' as const, id: 'tok_1', role: 'operator', name: 'ci' }

async function logOf(store: TestStore, count: number): Promise<void> {
  const entries = Array.from({ length: count }, (_, i) => ({
    at: at(i),
    actor: i % 3 === 0 ? { kind: 'user' as const, id: 'local-socket', role: 'operator' } : actor,
    action: i % 2 === 0 ? 'run.start' : 'token.create',
    decision: i % 5 === 0 ? ('denied' as const) : ('allowed' as const),
    why: i % 5 === 0 ? 'auth.forbidden' : null,
    host: i % 4 === 0 ? 'local' : null,
    subject: `run_${i}`,
    detail: i % 2 === 0 ? null : { role: 'viewer', count: i },
  }))
  // In two writes, as they come.
  await appendAudit(store, entries.slice(0, 3))
  await appendAudit(store, entries.slice(3))
}

async function entriesOf(store: TestStore): Promise<AuditEntry[]> {
  const all: AuditEntry[] = []
  for await (const one of readAudit(store)) if ('entry' in one) all.push(one.entry)
  return all
}

const run = (store: TestStore, statement: string) => store.write((db) => sql.raw(statement).execute(db))
const headOf = async (store: TestStore) => (await checkAudit(store)).head ?? ''

describe.each(engines)('the audit log on %s', (engine) => {
  test('is numbered from 1 and each entry covers the one before', async () => {
    await using store = await testStore(engine)
    expect(await checkAudit(store)).toEqual({ entries: 0, ok: true, firstBad: null, head: null })
    await logOf(store, 12)
    const entries = await entriesOf(store)
    expect(entries.map(({ n }) => n)).toEqual(Array.from({ length: 12 }, (_, i) => i + 1))
    expect(entries[1]).toMatchObject({ actor, action: 'token.create', subject: 'run_1', detail: { role: 'viewer', count: 1 } })
    expect(await checkAudit(store)).toEqual({ entries: 12, ok: true, firstBad: null, head: `12:${entries[11]?.hash}` })
  })

  test('takes writers that append at the same time one after the other', async () => {
    await using store = await testStore(engine)
    const entry = { at: at(0), actor, action: 'run.start', decision: 'allowed' as const }
    await Promise.all(Array.from({ length: 40 }, () => appendAudit(store, [entry, entry])))
    expect(await checkAudit(store)).toMatchObject({ entries: 80, ok: true })
  })

  test.each([
    ['a changed field', `update audit set decision = 'allowed' where n = 6`, 6],
    ['a changed detail', `update audit set detail = '{"count":1,"role":"operator"}' where n = 4`, 4],
    ['a detail with another spacing', `update audit set detail = '{"count": 3,"role":"viewer"}' where n = 4`, 4],
    ['a detail that is no JSON', `update audit set detail = '{' where n = 4`, 4],
    ['a decision that there is not', `update audit set decision = 'granted' where n = 2`, 2],
    ['a changed hash', `update audit set hash = '${'0'.repeat(64)}' where n = 7`, 7],
    ['a removed middle', `delete from audit where n in (5, 6)`, 5],
    ['a removed middle, numbered anew', `delete from audit where n = 5; update audit set n = n - 1 where n = 6`, 5],
    ['a removed beginning', `delete from audit where n <= 3`, 1],
    [
      'two that changed places',
      `update audit set n = 100 where n = 3; update audit set n = 3 where n = 4; update audit set n = 4 where n = 100`,
      3,
    ],
    ['a cut tail', `delete from audit where n > 9`, 10],
    [
      'one that was put in',
      `insert into audit select 13, at, actor_kind, actor_id, actor_role, actor_name, action, host, subject, decision, why, digest, detail, hash
        from audit where n = 12`,
      13,
    ],
  ])('names the first bad entry of %s', async (_what, tampering, bad) => {
    await using store = await testStore(engine)
    await logOf(store, 12)
    for (const statement of tampering.split(';')) await run(store, statement)
    const { ok, firstBad } = await checkAudit(store)
    expect({ ok, n: firstBad?.n }, firstBad?.why).toEqual({ ok: false, n: bad })
  })

  test('shows a cut tail, and a log written anew, only against a head that was kept elsewhere, where the store was changed all over', async () => {
    await using store = await testStore(engine)
    await logOf(store, 12)
    const kept = await headOf(store)
    const [tenth] = (await entriesOf(store)).slice(9, 10)
    await run(store, 'delete from audit where n > 10')
    await run(store, `update audit_head set n = 10, hash = '${tenth?.hash}'`)
    expect(await checkAudit(store)).toMatchObject({ ok: true, entries: 10 })
    expect((await checkAudit(store, kept)).firstBad).toMatchObject({ n: 11, why: expect.stringContaining('12 was noted') })

    await run(store, 'delete from audit')
    await run(store, `update audit_head set n = 0, hash = '${chainStart.hash}'`)
    await appendAudit(
      store,
      Array.from({ length: 14 }, () => ({ at: at(0), actor, action: 'run.start', decision: 'allowed' as const })),
    )
    expect(await checkAudit(store)).toMatchObject({ ok: true, entries: 14 })
    expect((await checkAudit(store, kept)).firstBad).toMatchObject({ n: 12, why: expect.stringContaining('written anew') })
  })

  test('whose beginning was replaced by another chain breaks where the two meet', async () => {
    await using store = await testStore(engine)
    await using other = await testStore(engine)
    await logOf(store, 12)
    await appendAudit(
      other,
      Array.from({ length: 4 }, (_, i) => ({ at: at(i), actor, action: 'hub.info', decision: 'allowed' as const })),
    )
    const forged = await entriesOf(other)
    for (const { n, hash, action, decision } of forged) {
      await run(
        store,
        `update audit set at = '${at(n - 1)}', actor_kind = 'user', actor_id = 'tok_1', actor_role = 'operator', actor_name = 'ci',
          action = '${action}', host = null, subject = null, decision = '${decision}', why = null, detail = null, hash = '${hash}' where n = ${n}`,
      )
    }
    expect((await checkAudit(store)).firstBad).toMatchObject({ n: 5, why: expect.stringContaining('entry 4 before it') })
  })

  test('is found by who, what, where, when and what was decided, newest first, in pages', async () => {
    await using store = await testStore(engine)
    await logOf(store, 60)
    const find = async (wanted: Partial<Parameters<typeof findAudit>[1]>) =>
      (await findAudit(store, { limit: 50, ...wanted })).entries.map(({ n }) => n)
    expect(await find({ limit: 3 })).toEqual([60, 59, 58])
    expect(await find({ actor: 'ci', limit: 2 })).toEqual([60, 59])
    expect(await find({ actor: 'local-socket', limit: 2 })).toEqual([58, 55])
    expect(await find({ action: 'token.*', limit: 2 })).toEqual([60, 58])
    expect(await find({ action: 'token', limit: 2 })).toEqual([])
    expect(await find({ host: 'local', decision: 'denied' })).toEqual([41, 21, 1])
    expect(await find({ since: at(10), until: at(12) })).toEqual([12, 11])
    const first = await findAudit(store, { limit: 40 })
    const second = await findAudit(store, { limit: 40, before: first.next ?? 0 })
    expect([...first.entries, ...second.entries].map(({ n }) => n)).toEqual(Array.from({ length: 60 }, (_, i) => 60 - i))
    expect(second.next).toBeNull()
  })
})

test('any single change of any log is found', async () => {
  await using store = await testStore('sqlite')
  await logOf(store, 12)
  const whole = await entriesOf(store)
  const noted = { n: 12, hash: whole[11]?.hash ?? '' }
  const place = fc.nat(whole.length - 1)
  const text = fc.string({ maxLength: 12 })
  const change = fc.oneof(
    fc.record({
      kind: fc.constant('field' as const),
      place,
      field: fc.constantFrom('at', 'action', 'host', 'subject', 'why', 'digest', 'hash'),
      text,
    }),
    fc.record({ kind: fc.constant('actor' as const), place, field: fc.constantFrom('id', 'role', 'name'), text }),
    fc.record({ kind: fc.constant('detail' as const), place, detail: fc.dictionary(text, fc.jsonValue({ maxDepth: 1 })) }),
    fc.record({ kind: fc.constant('remove' as const), place }),
    fc.record({ kind: fc.constant('repeat' as const), place }),
    fc.record({ kind: fc.constant('swap' as const), place, other: place }),
  )
  fc.assert(
    fc.property(change, (one) => {
      const log: AuditEntry[] = structuredClone(whole)
      const entry = log[one.place] as AuditEntry
      if (one.kind === 'field') Object.assign(entry, { [one.field]: one.text })
      if (one.kind === 'actor') Object.assign(entry.actor, { [one.field]: one.text })
      if (one.kind === 'detail') entry.detail = one.detail
      if (one.kind === 'remove') log.splice(one.place, 1)
      if (one.kind === 'repeat') log.splice(one.place, 0, structuredClone(entry))
      if (one.kind === 'swap') [log[one.place], log[one.other]] = [log[one.other] as AuditEntry, entry]
      fc.pre(canonicalJson(log) !== canonicalJson(whole))
      const chain = checkChain({ noted: [noted] })
      for (const taken of log) chain.take(taken)
      expect(chain.end().firstBad).not.toBeNull()
    }),
    { numRuns: 2_000 },
  )
})
