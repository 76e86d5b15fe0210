// Whether a hub slows as runs pile up in its store: the same questions to hubs with few and with very many, in turns.

import { findRun, listFleetRuns, submitRun } from '../../src/contract/fleet.ts'
import { enrollNode } from '../../src/contract/host.ts'
import type { InputOf } from '../../src/contract/operation.ts'
import { claimNext } from '../../src/store/jobs/claim.ts'
import { endJob } from '../../src/store/jobs/end.ts'
import { submitJob } from '../../src/store/jobs/submit.ts'
import { openStore, type Store } from '../../src/store/store.ts'
import { makeHome } from '../../test/resources/home.ts'
import type { Figure, Row, Settings, Unit } from '../figure.ts'
import { inTurns, medianOf, percentile } from '../measure.ts'
import { endOf } from '../muster.ts'
import { emptyJob } from '../muster-queue.ts'
import { type RestartableHub, restartableHub } from '../restartable-hub.ts'
import { acceptedAt, type Seed, seededRun, seedRuns } from '../seed-runs.ts'

const sizes = [1_000, 100_000, 1_000_000]
const quickSizes = [1_000, 10_000, 100_000]
const hostsInFleet = 10
const mostSlowing = 2

export const figure: Figure = {
  name: 'growth',
  title: 'Growth: the same questions to hubs with few and with many runs in their store',
  async measure(settings) {
    await using opened = new AsyncDisposableStack()
    const hubs: GrownHub[] = []
    for (const runs of settings.quick ? quickSizes : sizes) {
      settings.say(`writing ${runs.toLocaleString('en')} runs`)
      hubs.push(await growHub(runs, opened))
    }
    const rows = [...(await measureQuestions(hubs, settings)), ...(await measureStarts(hubs, settings))]
    for (const { hub } of hubs) await hub.stop()
    return [...rows, ...(await measureJobs(hubs, settings))]
  },
}

interface GrownHub {
  /** How many runs it has, in words. */
  readonly size: string
  readonly seed: Seed
  readonly hub: RestartableHub
}

async function growHub(runs: number, opened: AsyncDisposableStack): Promise<GrownHub> {
  const home = opened.use(await makeHome())
  const hub = opened.use(await restartableHub(home))
  const hosts: string[] = []
  for (let host = 0; host < hostsInFleet; host += 1)
    hosts.push((await hub.client.hub.call(enrollNode, { name: `host-${host}` })).host)
  await hub.stop()
  const seed = { file: hub.storeFile, hosts, runs, newestAt: new Date(Date.now() - 60_000) }
  await seedRuns(seed)
  await hub.start()
  return { size: runs.toLocaleString('en'), seed, hub }
}

/** What is asked, each time with other values. */
const questions: Record<string, (hub: GrownHub) => Promise<unknown>> = {
  'list, first page': (hub) => list(hub, {}),
  'list, one host': (hub) => list(hub, { host: 'host-3' }),
  'list, state failed': (hub) => list(hub, { states: ['failed'] }),
  'list, state running (none)': (hub) => list(hub, { states: ['running'] }),
  'list, kind workflow': (hub) => list(hub, { kind: 'workflow' }),
  'list, a page deep in the past': (hub) => {
    const oldish = Math.floor(Math.random() * hub.seed.runs * 0.5) + 100
    return list(hub, { before: `${acceptedAt(hub.seed, oldish)}~${seededRun(oldish)}` })
  },
  'show a run': ({ hub, seed }) => hub.client.hub.call(findRun, { run: seededRun(Math.floor(Math.random() * seed.runs)) }),
  'submit to an offline host': ({ hub }) =>
    hub.client.hub.call(submitRun, { host: 'host-3', queue: true, spec: { kind: 'command', argv: ['true'] } }),
  '`true` on the local host, submitted to its end': async ({ hub }) => {
    const { id } = await hub.client.hub.call(submitRun, { host: 'local', spec: { kind: 'command', argv: ['true'] } })
    await endOf(hub.client.host('local'), id)
  },
}

function list({ hub }: GrownHub, input: InputOf<typeof listFleetRuns>) {
  return hub.client.hub.call(listFleetRuns, input)
}

async function measureQuestions(hubs: readonly GrownHub[], { rounds, quick, say }: Settings): Promise<Row[]> {
  const asked = quick ? 20 : 200
  const rows: Row[] = []
  for (const [what, ask] of Object.entries(questions)) {
    say(`${what}, ${asked} times a round`)
    const taken = await inTurns(
      rounds,
      bySize(hubs, (hub) => askedMs(asked, () => ask(hub))),
      { warmUps: 1 },
    )
    for (const percent of [50, 99]) {
      const values = Object.entries(taken).map(([size, each]) => ({ size, samples: each.map((ms) => percentile(ms, percent)) }))
      rows.push(...againstFewest(`${what}, p${percent}`, values, 'ms', percent === 50))
    }
  }
  return rows
}

async function askedMs(times: number, ask: () => Promise<unknown>): Promise<number[]> {
  const tookMs: number[] = []
  for (let time = 0; time < times; time += 1) {
    const startedAt = performance.now()
    await ask()
    tookMs.push(performance.now() - startedAt)
  }
  return tookMs
}

async function measureStarts(hubs: readonly GrownHub[], { rounds, say }: Settings): Promise<Row[]> {
  say('starting the hubs again')
  const taken = await inTurns(
    rounds,
    bySize(hubs, async ({ hub }) => {
      await hub.stop()
      return hub.start()
    }),
  )
  return againstFewest('hub start, until it listens', samplesOf(taken), 'ms', true)
}

async function measureJobs(hubs: readonly GrownHub[], { rounds, quick, say }: Settings): Promise<Row[]> {
  say('submitting, claiming and ending jobs in the store')
  await using opened = new AsyncDisposableStack()
  const jobs: Record<string, () => Promise<number>> = {}
  for (const { size, seed } of hubs) {
    const store = opened.use(await openStore({ file: seed.file }))
    const oneJob = jobsOf(store)
    jobs[size] = async () => percentile(await askedMs(quick ? 3 : 20, oneJob), 50)
  }
  return againstFewest(
    'a job, submitted, claimed and ended, p50',
    samplesOf(await inTurns(rounds, jobs, { warmUps: 1 })),
    'ms',
    true,
  )
}

/** Each time another job of a host that has none yet. */
function jobsOf(store: Store): () => Promise<void> {
  const host = 'bench'
  let submitted = 0
  return async () => {
    const { job } = await submitJob(store, emptyJob(`bench-${++submitted}`, host))
    const now = new Date().toISOString()
    const [claimed] = await claimNext(store, { owner: 'bench', hosts: [host], now, leaseMs: 30_000, limit: 1 })
    if (claimed?.run !== job.run) throw new Error(`${claimed?.run} was claimed instead of ${job.run}`)
    await endJob(store, { run: job.run, runState: 'succeeded', claim: { owner: 'bench', fence: claimed.fence } })
  }
}

function bySize<Sample>(hubs: readonly GrownHub[], measure: (hub: GrownHub) => Promise<Sample>) {
  return Object.fromEntries(hubs.map((hub) => [hub.size, () => measure(hub)]))
}

interface OfSize {
  readonly size: string
  readonly samples: readonly number[]
}

function samplesOf(taken: Record<string, number[]>): OfSize[] {
  return Object.entries(taken).map(([size, samples]) => ({ size, samples }))
}

/** Each size beside the smallest; the promise is about the largest. */
function againstFewest(what: string, values: readonly OfSize[], unit: Unit, isPromised: boolean): Row[] {
  const [fewest, ...more] = values.map(({ size, samples }) => ({ size, value: medianOf(samples, unit) }))
  if (!fewest) return []
  return more.map(({ size, value }, index): Row => {
    const row = { what: `${what}: ${size} runs`, ours: value, peer: { ...fewest.value, name: `${fewest.size} runs` } }
    if (!isPromised || index < more.length - 1) return row
    const met = value.median <= mostSlowing * fewest.value.median
    return { ...row, goal: { words: `at most ${mostSlowing} × slower`, met } }
  })
}
