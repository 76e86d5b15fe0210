// Who may start a job: the store's claims, leases and fences under a simulated clock, in very many short schedules of owners that race,
// are late, lose answers, die, and have clocks that jump. Each answer is checked by grants.ts.

import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pino from 'pino'
import { expect, test, vi } from 'vitest'
import { hasCode } from '../../src/contract/errors.ts'
import type { RunSpec } from '../../src/contract/run.ts'
import { openMirror } from '../../src/hub/mirror.ts'
import { claimNext } from '../../src/store/jobs/claim.ts'
import { endJob } from '../../src/store/jobs/end.ts'
import { getJob, unfinishedJobs } from '../../src/store/jobs/find.ts'
import type { Claim } from '../../src/store/jobs/job.ts'
import { markStarted, releaseClaim, renewClaim } from '../../src/store/jobs/lease.ts'
import { submitJob } from '../../src/store/jobs/submit.ts'
import { sweepJobs } from '../../src/store/jobs/sweep.ts'
import { openStore, type Store } from '../../src/store/store.ts'
import { type JobWatch, type Submitted, type Told, watchJob } from './grants.ts'
import { runSchedule } from './queue-schedules.ts'
import { report, seed, seededRandom, trials } from './trials.ts'

// The simulated clock is the one that the tests set.
vi.mock('../../src/hub/steady-clock.ts', () => ({ steadyClock: () => ({ now: () => Date.now() }) }))

const schedules = trials(100_000, 5_000)
/** So many side by side share each commit, the clock and the sweeps; each has jobs and owners of its own. */
const sideBySide = 200
/** A store is left before the jobs that have ended in it make it slow. */
const batchesInAStore = 10
const owners = ['one', 'two', 'three'] as const
const leaseMs = 30_000
const startMs = Date.UTC(2026, 0, 1)
const opening = ['submit'] as const
const asked = [
  'submit',
  'claim',
  'claim',
  'claim',
  'renew',
  'renew',
  'release',
  'release',
  'start',
  'fail',
  'end',
  'cancel',
] as const
/** Where there is one, a file system in memory: what is tried here is not the disk. */
const memory = existsSync('/dev/shm') ? '/dev/shm' : tmpdir()
type Kind = (typeof asked)[number]
const spec: RunSpec = { kind: 'command', argv: ['true'], env: {}, stdin: 'none', timeoutMs: 1000 }

type Random = () => number
type Owner = (typeof owners)[number]

const pick = <T>(random: Random, from: readonly T[]): T => from[Math.floor(random() * from.length)] as T
const time = (ms: number) => new Date(startMs + ms).toISOString()

/** What befalls all schedules of a batch at once. */
interface Batch {
  readonly store: Store
  /** Each owner reads a clock of its own, which may be off by a minute. */
  readonly now: (owner: Owner) => number
  readonly counts: Record<string, number>
}

interface Schedule {
  readonly id: string
  readonly jobs: readonly { run: string; readonly key: string; readonly watch: JobWatch }[]
  /** Every claim that somebody knows of, also those that are not theirs any more. */
  known: { claim: Claim; owner: Owner }[]
}

interface Happening {
  readonly job: number
  readonly told: Told
}

function newSchedule(id: string): Schedule {
  const jobs = [0, 1].map((n) => ({ run: `${id}.${n}`, key: `${id}.key${n}`, watch: watchJob() }))
  return { id, jobs, known: [] }
}

/** Asks one thing of the store; what it answered, for each job that it concerns. */
async function ask(
  schedule: Schedule,
  kinds: readonly Kind[],
  random: Random,
  { store, now, counts }: Batch,
): Promise<Happening[]> {
  const owner = pick(random, owners)
  const job = Math.floor(random() * 2)
  const one = schedule.jobs[job] as Schedule['jobs'][number]
  const { run, key } = one
  const lost = random() < 0.15
  const kind = pick(random, kinds)
  counts[kind] = (counts[kind] ?? 0) + 1

  switch (kind) {
    case 'submit': {
      const at = now(owner)
      const request = {
        // Whoever lost the answer asks again under the same key, perhaps with another run id.
        run: random() < 0.8 ? run : `${schedule.id}.${job}.again`,
        fingerprint: random() < 0.9 ? 'same' : 'other',
        expiresAt: time(at + 90_000),
      }
      const to = await submit(store, schedule.id, key, at, request)
      if (to !== 'run.conflict') one.run = to.run
      return [{ job, told: { did: 'submit', ...request, to } }]
    }
    case 'claim': {
      const limit = random() < 0.5 ? 1 : 2
      const ownerName = nameOf(schedule, owner)
      const at = now(owner)
      const claim = { owner: ownerName, hosts: [schedule.id], now: time(at), leaseMs, limit }
      const claimed = await claimNext(store, claim)
      counts.granted = (counts.granted ?? 0) + claimed.length
      if (!lost) {
        for (const { run, fence } of claimed) schedule.known.push({ claim: { run, owner: ownerName, fence }, owner })
      }
      return schedule.jobs.map(({ key }, job) => ({
        job,
        told: {
          did: 'claim' as const,
          owner: ownerName,
          until: time(at + leaseMs),
          fence: claimed.find((job) => job.key === key)?.fence,
          full: claimed.length === limit,
        },
      }))
    }
    case 'end':
      return [{ job, told: { did: 'end', done: await endJob(store, { run, runState: 'succeeded', byHost: true }) } }]
    case 'cancel': {
      const done = await endJob(store, { run, runState: 'cancelled', onlyIf: 'queued' })
      return [{ job, told: { did: 'cancel', done } }]
    }
    default:
      return schedule.known.length === 0
        ? []
        : [await useClaim(kind, pick(random, schedule.known), schedule, { store, now, counts })]
  }
}

/** What the holder of a claim does with it, or whoever still believes to be. */
async function useClaim(
  kind: string,
  { claim, owner }: Schedule['known'][number],
  schedule: Schedule,
  { store, now }: Batch,
): Promise<Happening> {
  const job = jobOf(claim.run, schedule.id)
  const at = now(owner)
  if (kind === 'renew') {
    const done = await renewClaim(store, { ...claim, now: time(at), leaseMs })
    return { job, told: { did: 'renew', ...claim, until: time(at + leaseMs), done } }
  }
  if (kind === 'release') return { job, told: { did: 'release', ...claim, done: await releaseClaim(store, claim) } }
  if (kind === 'start') return { job, told: { did: 'start', ...claim, done: await markStarted(store, claim) } }
  return { job, told: { did: 'fail', ...claim, done: await endJob(store, { run: claim.run, runState: 'failed', claim }) } }
}

async function submit(
  store: Store,
  host: string,
  key: string,
  at: number,
  request: { run: string; fingerprint: string; expiresAt: string },
): Promise<Submitted> {
  try {
    const rest = { host, key, spec, parent: null, title: 'true', queue: true, createdAt: time(at) }
    const { job, created } = await submitJob(store, { ...request, ...rest })
    return { created, run: job.run }
  } catch (error) {
    if (hasCode(error, 'run.conflict')) return 'run.conflict'
    throw error
  }
}

function nameOf(schedule: Schedule, owner: Owner): string {
  return `${schedule.id}/${owner}`
}

/** One owner of every schedule dies and comes back, as hub/queue.ts does: what its former life had claimed is nobody's. */
async function restart(owner: Owner, all: readonly Schedule[], { store }: Batch): Promise<Map<string, Happening[]>> {
  const happened = new Map<string, Happening[]>()
  const jobs = (await unfinishedJobs(store)).filter((job) => job.state === 'claimed' && job.owner?.endsWith(`/${owner}`))
  for (const schedule of all) schedule.known = schedule.known.filter((known) => known.owner !== owner)
  await Promise.all(
    jobs.map(async ({ run, host, owner, fence }) => {
      const claim = { run, owner: owner as string, fence }
      const told: Told = { did: 'release', ...claim, done: await releaseClaim(store, claim) }
      note(happened, host, { job: jobOf(run, host), told })
    }),
  )
  return happened
}

async function sweep(now: number, all: readonly Schedule[], { store, counts }: Batch): Promise<Map<string, Happening[]>> {
  const happened = new Map<string, Happening[]>()
  const at = time(now)
  const { requeued, expired } = await sweepJobs(store, at)
  counts.lapsed = (counts.lapsed ?? 0) + requeued.length
  counts.expired = (counts.expired ?? 0) + expired.length
  const moved = new Map([
    ...requeued.map(({ key }) => [key, 'requeued'] as const),
    ...expired.map(({ key }) => [key, 'expired'] as const),
  ])
  for (const schedule of all)
    for (const [job, { key }] of schedule.jobs.entries())
      note(happened, schedule.id, { job, told: { did: 'sweep', now: at, moved: moved.get(key) } })
  return happened
}

function jobOf(run: string, host: string): number {
  return Number(run.slice(host.length + 1, host.length + 2))
}

function note(happened: Map<string, Happening[]>, host: string, one: Happening): void {
  happened.set(host, [...(happened.get(host) ?? []), one])
}

async function runBatch(from: number, store: Store, counts: Record<string, number>): Promise<void> {
  const random = seededRandom(seed * 1_000_003 + from)
  const all = Array.from({ length: Math.min(sideBySide, schedules - from) }, (_, n) => newSchedule(`s${from + n}`))
  const off = Object.fromEntries(owners.map((owner) => [owner, Math.floor((random() - 0.5) * 120_000)])) as Record<Owner, number>
  let clock = 0
  const batch: Batch = { store, counts, now: (owner) => clock + off[owner] }

  const rounds = 4 + Math.floor(random() * 6)
  for (let round = 0; round < rounds; round++) {
    const luck = random()
    if (luck < 0.5) clock += Math.floor(random() * 40_000)
    else if (luck < 0.6) clock += Math.floor((random() - 0.5) * 7_200_000)
    // What has looked and not yet written is what the rest of the round may come between: in this order or the other.
    const [sweeps, restarts, first] = [random() < 0.4, random() < 0.15, random() < 0.5]
    const besides = () => [
      sweeps ? sweep(batch.now(pick(random, owners)), all, batch) : undefined,
      restarts ? restart(pick(random, owners), all, batch) : undefined,
    ]
    const before = first ? besides() : []
    const asking = Promise.all(
      all.map(async (schedule) => {
        const askings = random() < 0.35 ? 2 : 1
        const asks = Array.from({ length: askings }, () => ask(schedule, round === 0 ? opening : asked, random, batch))
        return (await Promise.all(asks)).flat()
      }),
    )
    const after = first ? [] : besides()
    const answered = await asking
    const shared = await Promise.all([...before, ...after])
    for (const [n, schedule] of all.entries()) {
      const happened = [...(answered[n] as Happening[]), ...shared.flatMap((one) => one?.get(schedule.id) ?? [])]
      for (const [job, { watch }] of schedule.jobs.entries())
        watch.take(happened.flatMap((one) => (one.job === job ? [one.told] : [])))
    }
  }
  await Promise.all(all.map((schedule) => settle(schedule, store)))
}

/** In the end the store says what the answers said, no job is lost, and each has one end. */
async function settle(schedule: Schedule, store: Store): Promise<void> {
  await Promise.all(
    schedule.jobs.map(async ({ run, watch }) => {
      const there = await getJob(store, run)
      watch.compare(there && { run, state: there.state, owner: there.owner, fence: there.fence, until: there.leaseUntil })
      watch.take([{ did: 'end', done: await endJob(store, { run, runState: 'succeeded', byHost: true }) }])
    }),
  )
}

test('in every schedule a job has one holder, whose fence is the highest, and it is neither lost nor ended twice', async () => {
  const startedAt = performance.now()
  const cpu = process.cpuUsage()
  const dir = await mkdtemp(join(memory, 'muster-leases-'))
  const counts: Record<string, number> = {}
  try {
    for (let from = 0; from < schedules; ) {
      await using store = await openStore({ file: join(dir, `${from}.db`) })
      for (let batch = 0; batch < batchesInAStore && from < schedules; batch++) {
        await runBatch(from, store, counts)
        from += sideBySide
      }
    }
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
  const seconds = Math.round((performance.now() - startedAt) / 1000)
  const { user, system } = process.cpuUsage(cpu)
  const told = Object.entries(counts).map(([kind, count]) => `${kind} ${count}`)
  report(
    `leases: ${schedules} schedules in ${seconds} s (${Math.round((user + system) / 1e6)} s of processor), seed ${seed}: ${told.join(', ')}`,
  )
  expect(counts.granted).toBeGreaterThan(schedules / 4)
})

test('a queue whose host, link, clock and hub fail in every way loses no job, and ends none twice', async () => {
  const full = trials(400, 40)
  const random = seededRandom(seed + 1)
  const startedAt = performance.now()
  const dir = await mkdtemp(join(memory, 'muster-queue-'))
  const tally = { jobs: 0, started: 0, refused: 0, claims: 0 }
  vi.useFakeTimers({ toFake: ['Date', 'setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'], now: startMs })
  try {
    await using store = await openStore({ file: join(dir, 'queue.db') })
    await using mirror = openMirror({ dir: join(dir, 'mirror'), store, log: pino({ level: 'silent' }) })
    for (let n = 0; n < full; n++) {
      const { jobs, onHost, refused, endedOnHost, endedTwice } = await runSchedule(`host${n}`, store, mirror, random)
      expect(endedTwice).toBe(0)
      for (const job of jobs) {
        const run = job?.run as string
        // Each has come to something, and to what its host knows of it.
        if (endedOnHost.has(run)) expect(job).toMatchObject({ state: 'ended', runState: 'succeeded' })
        else if (onHost.has(run)) expect(job).toMatchObject({ state: 'started' })
        else expect(job).toMatchObject({ state: 'ended', runState: 'failed', error: { code: 'run.kind_unsupported' } })
        expect(job?.fence).toBeGreaterThanOrEqual(onHost.get(run) ?? 0)
        tally.claims += job?.fence ?? 0
      }
      expect([...onHost.keys()].filter((run) => !jobs.some((job) => job?.run === run))).toEqual([])
      tally.jobs += jobs.length
      tally.started += onHost.size
      tally.refused += refused.size
    }
  } finally {
    vi.useRealTimers()
    await rm(dir, { recursive: true, force: true })
  }
  const seconds = Math.round((performance.now() - startedAt) / 1000)
  report(
    `leases: ${full} schedules of a whole queue in ${seconds} s, seed ${seed}: ${tally.jobs} jobs, ${tally.claims} claims, ` +
      `${tally.started} started, ${tally.refused} refused; 0 lost, 0 ended twice`,
  )
})

const submitted: Told = { did: 'submit', run: 'r', fingerprint: 'f', expiresAt: time(90_000), to: { created: true, run: 'r' } }
const granted = (owner: string, fence: number): Told => ({ did: 'claim', owner, fence, until: time(leaseMs), full: false })

test.each<[string, readonly Told[]]>([
  ['two holders at once', [submitted, granted('one', 1), granted('two', 2)]],
  [
    'a fence that does not rise',
    [submitted, granted('one', 1), { did: 'release', owner: 'one', fence: 1, done: true }, granted('two', 1)],
  ],
  ['a lease taken back before its time', [submitted, granted('one', 1), { did: 'sweep', now: time(1), moved: 'requeued' }]],
  [
    'a write by whose lease was taken back',
    [
      submitted,
      granted('one', 1),
      { did: 'sweep', now: time(leaseMs + 1), moved: 'requeued' },
      { did: 'start', owner: 'one', fence: 1, done: true },
    ],
  ],
  ['a second end', [submitted, { did: 'end', done: true }, { did: 'end', done: true }]],
  ['a claim of what has ended', [submitted, { did: 'end', done: true }, granted('one', 1)]],
  ['a job that nobody can claim', [submitted, { did: 'claim', owner: 'one', fence: undefined, until: '', full: false }]],
  ['a second job under the same key', [submitted, { ...submitted, run: 'r2', to: { created: true, run: 'r2' } } as Told]],
])('the checker refuses %s', (_, told) => {
  const watch = watchJob()
  for (const one of told.slice(0, -1)) watch.take([one])
  expect(() => watch.take(told.slice(-1))).toThrow('nothing explains')
})
