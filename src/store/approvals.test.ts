import { describe, expect, test } from 'vitest'
import { engines, testStore } from '../../test/resources/stores.ts'
import type { Approval, ApprovalState } from '../contract/approval.ts'
import { digestOf } from './approval-digest.ts'
import { addApprovalLink, findApprovalLink, releaseApprovalLink, useApprovalLink } from './approval-links.ts'
import {
  approvalChanges,
  askApproval,
  endApproval,
  endOverdue,
  endUnattended,
  findApproval,
  forgetOldCopies,
  lastApprovalPosition,
  listApprovals,
  noteAnswer,
  spendApproval,
  takeInApprovals,
} from './approvals.ts'

const limits = { pending: 3, anHour: 5, anHourOfHub: 6 }
const at = (seconds: number) => new Date(Date.now() + seconds * 1000).toISOString()
const idOf = (n: number) => `apr_${String(n).padStart(26, '0')}`

function approval(n: number, changes: Partial<Approval> = {}): Approval {
  const asked = {
    host: 'box',
    hub: 'hub',
    asker: 'tok_1',
    command: 'shell',
    params: { n },
    argv: null,
    cwd: null,
    env: {},
    script: null,
    session: null,
  }
  const made = { id: idOf(n), state: 'pending', asked, digest: digestOf(asked), reason: null, cause: 'sensitive' } as const
  return { ...made, createdAt: at(0), expiresAt: at(600), resolution: null, ...changes }
}

const resolution = { at: at(1), by: 'tok_2', reason: null }
const yes = { state: 'approved', resolution, spent: true } as const

describe.each(engines)('approvals on %s', (engine) => {
  test('end once, and each change has the next position', async () => {
    await using store = await testStore(engine)
    await askApproval(store, 'local', approval(1), limits)
    await askApproval(store, 'local', approval(2), limits)
    const ended = await Promise.all([1, 2, 3].map(() => endApproval(store, 'local', idOf(1), yes)))
    expect(ended.filter((one) => one !== undefined)).toMatchObject([{ state: 'approved', resolution }])
    const changes = await approvalChanges(store, 'local', { hub: 'hub', after: 0, limit: 10 })
    expect(changes.map(({ approval: one }) => one.id)).toEqual([idOf(2), idOf(1)])
    expect(changes.map(({ position }) => position)).toEqual(changes.map(({ position }) => position).toSorted((a, b) => a - b))
    expect(await approvalChanges(store, 'local', { hub: 'another', after: 0, limit: 10 })).toEqual([])
    expect(await lastApprovalPosition(store, 'local')).toBeGreaterThanOrEqual(changes.at(-1)?.position ?? Infinity)
  })

  test('what was approved and not begun is spent once', async () => {
    await using store = await testStore(engine)
    await askApproval(store, 'local', approval(1), limits)
    expect(await spendApproval(store, 'local', idOf(1))).toBe(false)
    await endApproval(store, 'local', idOf(1), { ...yes, spent: false })
    const spent = await Promise.all([1, 2, 3].map(() => spendApproval(store, 'local', idOf(1))))
    expect(spent.filter((one) => one)).toHaveLength(1)
  })

  test('are few at once and few an hour; those of a former life are ended', async () => {
    await using store = await testStore(engine)
    for (const n of [1, 2, 3]) await askApproval(store, 'local', approval(n), limits)
    await expect(askApproval(store, 'local', approval(4), limits)).rejects.toMatchObject({ code: 'approval.too_many' })
    await endUnattended(store, 'local', { ...resolution, by: null })
    for (const n of [4, 5]) await askApproval(store, 'local', approval(n), limits)
    await expect(askApproval(store, 'local', approval(6), limits)).rejects.toMatchObject({ code: 'approval.too_often' })
    const other = approval(6)
    await askApproval(store, 'local', { ...other, asked: { ...other.asked, asker: 'tok_3' } }, limits)
    // A hub that makes up askers is limited all the same, and no other hub is by it.
    await endUnattended(store, 'local', { ...resolution, by: null })
    const made = approval(7)
    await expect(
      askApproval(store, 'local', { ...made, asked: { ...made.asked, asker: 'tok_4' } }, limits),
    ).rejects.toMatchObject({ code: 'approval.too_often', message: expect.stringContaining('this hub') })
    for (const n of [8, 9, 10])
      await askApproval(store, 'local', { ...approval(n), asked: { ...approval(n).asked, hub: 'another' } }, limits)
    expect(await findApproval(store, idOf(1))).toMatchObject({ approval: { state: 'unavailable' } })
  })

  test("a hub's copy: what a host tells again, otherwise, or under another's id", async () => {
    await using store = await testStore(engine)
    const tell = (host: string, position: number, one: Approval) => takeInApprovals(store, host, [{ position, approval: one }])
    const ended = (state: ApprovalState) => approval(1, { state, resolution: { ...resolution, by: 'whom the host names' } })

    expect((await tell('a', 3, approval(1))).changed).toHaveLength(1)
    expect(await tell('a', 3, approval(1))).toEqual({ changed: [], refused: [] })
    expect((await tell('b', 1, approval(1))).refused).toHaveLength(1)
    const other = approval(2)
    expect((await tell('a', 4, { ...other, id: idOf(1) })).refused).toHaveLength(1)

    await noteAnswer(store, idOf(1), { outcome: 'approved', by: 'tok_9' })
    expect((await tell('a', 5, ended('approved'))).changed).toMatchObject([{ state: 'approved', resolution: { by: 'tok_9' } }])
    for (const state of ['denied', 'timeout', 'pending'] as const) expect((await tell('a', 6, ended(state))).changed).toEqual([])
    expect(await findApproval(store, idOf(1))).toMatchObject({
      host: 'a',
      approval: { state: 'approved', resolution: { by: 'tok_9' } },
    })
    expect(await lastApprovalPosition(store, 'a')).toBe(6)
    expect(await listApprovals(store, { host: 'b', limit: 10 })).toEqual([])
  })

  test('who answered is nobody whom only the host names', async () => {
    await using store = await testStore(engine)
    const forged = approval(1, { state: 'approved', resolution: { ...resolution, by: 'root' } })
    await takeInApprovals(store, 'a', [{ position: 1, approval: forged }])
    expect(await findApproval(store, idOf(1))).toMatchObject({ approval: { resolution: { by: null } } })
  })

  test('a host cannot fill its hub with questions', async () => {
    await using store = await testStore(engine)
    const flood = Array.from({ length: 150 }, (_, n) => ({ position: n + 1, approval: approval(n) }))
    const { changed, refused } = await takeInApprovals(store, 'a', flood)
    expect([changed.length, refused.length]).toEqual([100, 50])
    expect((await takeInApprovals(store, 'b', [{ position: 1, approval: approval(999) }])).changed).toHaveLength(1)
  })

  test('nor with questions that are over as soon as they are asked: the newest thousand are kept, and those that wait', async () => {
    await using store = await testStore(engine)
    await takeInApprovals(store, 'a', [{ position: 1, approval: approval(1, { createdAt: at(-3600) }) }])
    await takeInApprovals(store, 'b', [{ position: 1, approval: approval(2, { state: 'denied', resolution }) }])
    for (let from = 10; from < 1_110; from += 50) {
      const flood = Array.from({ length: 50 }, (_, n) =>
        approval(from + n, { state: 'denied', resolution, createdAt: at(-3600 + from) }),
      )
      await takeInApprovals(
        store,
        'a',
        flood.map((one, n) => ({ position: from + n, approval: one })),
      )
    }
    const kept = await listApprovals(store, { host: 'a', limit: 5_000 })
    expect(kept).toHaveLength(1_001)
    expect(kept.at(-1)).toMatchObject({ approval: { id: idOf(1), state: 'pending' } })
    expect(await findApproval(store, idOf(10))).toBeUndefined()
    expect(await findApproval(store, idOf(1_109))).toBeDefined()
    expect(await listApprovals(store, { host: 'b', limit: 10 })).toHaveLength(1)
  })

  test('copies are forgotten after 90 days, also those of hosts that ask nothing any more', async () => {
    await using store = await testStore(engine)
    const day = 24 * 3600
    const over = (n: number, days: number) => approval(n, { state: 'denied', resolution, createdAt: at(-days * day) })
    await takeInApprovals(store, 'a', [{ position: 1, approval: over(1, 91) }])
    await takeInApprovals(store, 'b', [{ position: 1, approval: over(2, 89) }])
    await forgetOldCopies(store, Date.now())
    expect((await listApprovals(store, { limit: 10 })).map(({ approval: { id } }) => id)).toEqual([idOf(2)])
  })

  test('a copy whose time is over ends by itself, and its host may still say how it really was', async () => {
    await using store = await testStore(engine)
    await takeInApprovals(store, 'a', [{ position: 1, approval: approval(1, { expiresAt: at(-1) }) }])
    await takeInApprovals(store, 'a', [{ position: 2, approval: approval(2) }])
    expect(await endOverdue(store, at(0))).toMatchObject([{ host: 'a', approval: { id: idOf(1), state: 'timeout' } }])
    expect(await endOverdue(store, at(0))).toEqual([])
    const denied = approval(1, { state: 'denied', resolution: { ...resolution, reason: 'no' } })
    expect((await takeInApprovals(store, 'a', [{ position: 3, approval: denied }])).changed).toMatchObject([{ state: 'denied' }])
  })

  test('a link is used once, and again only where nothing came of it', async () => {
    await using store = await testStore(engine)
    await addApprovalLink(store, { id: 'l', approval: idOf(1), mintedBy: 'tok_1', expiresAt: at(60) })
    const used = await Promise.all([1, 2, 3].map(() => useApprovalLink(store, 'l')))
    expect(used.filter((one) => one)).toHaveLength(1)
    await releaseApprovalLink(store, 'l')
    expect(await findApprovalLink(store, 'l')).toMatchObject({ usedAt: null })
    expect(await useApprovalLink(store, 'l')).toBe(true)
    expect(await useApprovalLink(store, 'none')).toBe(false)
  })
})
