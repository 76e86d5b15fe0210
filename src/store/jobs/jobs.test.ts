import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { engines, testStore } from '../../../test/resources/stores.ts'
import type { RunSpec } from '../../contract/run.ts'
import type { Store } from '../store.ts'
import { claimNext } from './claim.ts'
import { endJob } from './end.ts'
import { countJobs, findJobByKey, getJob, listWaitingJobs, unfinishedJobs } from './find.ts'
import type { ClaimedJob, NewJob } from './job.ts'
import { markStarted, releaseClaim, renewClaim } from './lease.ts'
import { submitJob } from './submit.ts'
import { sweepJobs } from './sweep.ts'

const spec: RunSpec = { kind: 'command', argv: ['true'], env: {}, stdin: 'none', timeoutMs: 1000 }
const startMs = Date.UTC(2026, 0, 1)
const time = (ms: number) => new Date(startMs + ms).toISOString()
const leaseMs = 30_000

function newJob(run: string, changes: Partial<NewJob> = {}): NewJob {
  return {
    run,
    host: 'h',
    key: null,
    fingerprint: 'f',
    spec,
    parent: null,
    title: 'true',
    queue: true,
    createdAt: time(0),
    expiresAt: time(60_000),
    ...changes,
  }
}

const claim = (store: Store, owner: string, ms = 0, limit = 10) =>
  claimNext(store, { owner, hosts: ['h'], now: time(ms), leaseMs, limit })

describe.each(engines)('jobs on %s', (engine) => {
  test('the same run id or key with the same request is the same job', async () => {
    await using store = await testStore(engine)
    const { job } = await submitJob(store, newJob('a', { key: 'k' }))
    expect(await submitJob(store, newJob('a', { key: 'k' }))).toEqual({ job, created: false })
    expect(await submitJob(store, newJob('other', { key: 'k' }))).toEqual({ job, created: false })
    expect(await findJobByKey(store, 'k')).toEqual(job)
    expect(await getJob(store, 'other')).toBeUndefined()
  })

  test('another request under the same run id or key is refused', async () => {
    await using store = await testStore(engine)
    await submitJob(store, newJob('a', { key: 'k' }))
    await submitJob(store, newJob('b'))
    await expect(submitJob(store, newJob('a', { fingerprint: 'g' }))).rejects.toMatchObject({ code: 'run.conflict' })
    await expect(submitJob(store, newJob('c', { key: 'k', fingerprint: 'g' }))).rejects.toMatchObject({ code: 'run.conflict' })
    await expect(submitJob(store, newJob('b', { key: 'k' }))).rejects.toMatchObject({ code: 'run.conflict' })
  })

  test('of many who claim at once, each job has one holder', async () => {
    await using store = await testStore(engine)
    for (let n = 0; n < 30; n += 1) await submitJob(store, newJob(`r${n}`))
    const claimed = (await Promise.all(Array.from({ length: 12 }, (_, n) => claim(store, `o${n}`, 0, 5)))).flat()
    const runs = claimed.map(({ run }) => run)
    expect(new Set(runs).size).toBe(runs.length)
    for (const job of claimed) expect(await getJob(store, job.run)).toMatchObject({ owner: job.owner, fence: 1 })
  })

  test('claims the oldest first, and only for the hosts that were named', async () => {
    await using store = await testStore(engine)
    await submitJob(store, newJob('late', { createdAt: time(2) }))
    await submitJob(store, newJob('early', { createdAt: time(1) }))
    await submitJob(store, newJob('elsewhere', { host: 'other' }))
    expect((await claim(store, 'o')).map(({ run }) => run)).toEqual(['early', 'late'])
    expect(await claimNext(store, { owner: 'o', hosts: [], now: time(0), leaseMs, limit: 1 })).toEqual([])
  })

  test('whoever lost the claim can end nothing, and the host still can', async () => {
    await using store = await testStore(engine)
    await submitJob(store, newJob('a'))
    const [first] = (await claim(store, 'one')) as [ClaimedJob]
    await sweepJobs(store, time(leaseMs + 1))
    await claim(store, 'two', leaseMs + 1)
    expect(await endJob(store, { run: 'a', runState: 'failed', claim: { owner: 'one', fence: first.fence } })).toBe(false)
    expect(await markStarted(store, { run: 'a', owner: 'one', fence: first.fence })).toBe(false)
    expect(await getJob(store, 'a')).toMatchObject({ state: 'claimed', owner: 'two', fence: 2 })
    expect(await endJob(store, { run: 'a', runState: 'succeeded', byHost: true })).toBe(true)
    expect(await getJob(store, 'a')).toMatchObject({ state: 'ended', runState: 'succeeded', startedAt: expect.any(String) })
    expect(await endJob(store, { run: 'a', runState: 'failed', byHost: true })).toBe(false)
  })

  test('a job that waits past its time ends as run.expired', async () => {
    await using store = await testStore(engine)
    await submitJob(store, newJob('a'))
    expect(await sweepJobs(store, time(60_000))).toEqual({ requeued: [], expired: [] })
    const { expired } = await sweepJobs(store, time(60_001))
    expect(expired).toMatchObject([
      { run: 'a', state: 'ended', runState: 'failed', error: { code: 'run.expired' }, endedAt: time(60_001) },
    ])
    expect(await unfinishedJobs(store)).toEqual([])
  })

  test('a job that something else has damaged ends as run.unreadable, and keeps no other from being claimed', async () => {
    await using store = await testStore(engine)
    await submitJob(store, newJob('a', { createdAt: time(0) }))
    await submitJob(store, newJob('b', { createdAt: time(1) }))
    await submitJob(store, newJob('c', { createdAt: time(2) }))
    await store.write((db) => db.updateTable('job').set({ spec: '{"kind":' }).where('run', '=', 'a').execute())
    await store.write((db) => db.updateTable('job').set({ parent: 'x' }).where('run', '=', 'b').execute())
    expect((await claim(store, 'o')).map(({ run }) => run)).toEqual(['c'])
    for (const run of ['a', 'b'])
      expect(await getJob(store, run)).toMatchObject({ state: 'ended', runState: 'failed', error: { code: 'run.unreadable' } })
    expect(await claim(store, 'o')).toEqual([])
  })

  test('lists what no host has, newest first in pages', async () => {
    await using store = await testStore(engine)
    for (let n = 0; n < 9; n += 1) {
      await submitJob(
        store,
        newJob(n % 2 ? `R${n}` : `r${n}`, { createdAt: time(Math.floor(n / 4)), parent: n < 5 ? { run: 'w', step: 's' } : null }),
      )
    }
    const [taken] = (await claim(store, 'o', 0, 1)) as [ClaimedJob]
    await markStarted(store, { run: taken.run, owner: 'o', fence: taken.fence })
    const all = await listWaitingJobs(store, { hosts: ['h'], limit: 100 })
    expect(all).toHaveLength(8)
    expect(all.map(({ run }) => run)).not.toContain(taken.run)
    const [third] = all.slice(2)
    const rest = await listWaitingJobs(store, { hosts: ['h'], before: `${third?.createdAt}~${third?.run}`, limit: 100 })
    expect(rest).toEqual(all.slice(3))
    expect(await listWaitingJobs(store, { hosts: ['h'], parent: 'w', limit: 2 })).toHaveLength(2)
    expect(await listWaitingJobs(store, { hosts: ['h'], states: [], limit: 2 })).toEqual([])
    expect(await listWaitingJobs(store, { hosts: ['h'], kind: 'workflow', limit: 2 })).toEqual([])
    const counts = await countJobs(store)
    expect(counts.toSorted((a, b) => (a.state < b.state ? -1 : 1))).toEqual([
      { state: 'queued', count: 8 },
      { state: 'started', count: 1 },
    ])
  })

  test('never has two holders, heeds no claim that was lost, and loses no job', async () => {
    await using store = await testStore(engine)
    let round = 0
    await fc.assert(
      fc.asyncProperty(fc.array(action, { minLength: 5, maxLength: 40 }), async (actions) => {
        round += 1
        await followModel(store, `round${round}`, actions)
      }),
      { numRuns: engine === 'sqlite' ? 60 : 15 },
    )
  })
})

const action = fc.record({
  kind: fc.constantFrom('submit', 'claim', 'renew', 'release', 'start', 'end', 'sweep', 'wait'),
  owner: fc.constantFrom('one', 'two', 'three'),
  which: fc.nat(5),
  ms: fc.integer({ min: 1, max: 40_000 }),
})

interface Model {
  state: 'queued' | 'claimed' | 'started' | 'ended'
  owner: string | null
  fence: number
  leaseMs: number
  expiresMs: number
}

/**
 * Does the actions in the store and in a dozen lines of plain state, with every claim that was ever given out, and compares them.
 */
async function followModel(
  store: Store,
  host: string,
  actions: readonly { kind: string; owner: string; which: number; ms: number }[],
) {
  const model = new Map<string, Model>()
  const claims: { run: string; owner: string; fence: number }[] = []
  const holds = (c: { run: string; owner: string; fence: number }) => {
    const job = model.get(c.run)
    return job?.state === 'claimed' && job.owner === c.owner && job.fence === c.fence ? job : undefined
  }
  let now = 0
  for (const { kind, owner, which, ms } of actions) {
    const run = `${host}-${which}`
    const held = claims[claims.length === 0 ? 0 : which % claims.length]
    if (kind === 'wait') now += ms
    if (kind === 'submit') {
      const { created } = await submitJob(store, newJob(run, { host, expiresAt: time(now + 90_000), createdAt: time(now) }))
      expect(created).toBe(!model.has(run))
      if (created) model.set(run, { state: 'queued', owner: null, fence: 0, leaseMs: 0, expiresMs: now + 90_000 })
    }
    if (kind === 'claim') {
      for (const job of await claimNext(store, { owner, hosts: [host], now: time(now), leaseMs, limit: 2 })) {
        const known = model.get(job.run) as Model
        expect(known.state).toBe('queued')
        Object.assign(known, { state: 'claimed', owner, fence: known.fence + 1, leaseMs: now + leaseMs })
        claims.push({ run: job.run, owner, fence: job.fence })
      }
    }
    if (held && kind === 'renew') {
      const job = holds(held)
      expect(await renewClaim(store, { ...held, now: time(now), leaseMs })).toBe(job !== undefined)
      if (job) job.leaseMs = now + leaseMs
    }
    if (held && kind === 'release') {
      const job = holds(held)
      expect(await releaseClaim(store, held)).toBe(job !== undefined)
      if (job) Object.assign(job, { state: 'queued', owner: null })
    }
    if (held && kind === 'start') {
      const job = holds(held)
      expect(await markStarted(store, held)).toBe(job !== undefined)
      if (job) Object.assign(job, { state: 'started', owner: null })
    }
    if (kind === 'end' && model.has(run)) {
      const job = model.get(run) as Model
      expect(await endJob(store, { run, runState: 'succeeded', byHost: true })).toBe(job.state !== 'ended')
      Object.assign(job, { state: 'ended', owner: null })
    }
    if (kind === 'sweep') {
      await sweepJobs(store, time(now))
      for (const job of model.values()) {
        if (job.state === 'queued' && job.expiresMs < now) Object.assign(job, { state: 'ended' })
        else if (job.state === 'claimed' && job.leaseMs < now) Object.assign(job, { state: 'queued', owner: null })
      }
    }
    for (const [id, { state, owner: holder, fence }] of model) {
      expect(await getJob(store, id)).toMatchObject({ state, owner: holder, fence })
    }
  }
}
