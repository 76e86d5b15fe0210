// A hub's queue and one host under a simulated clock: the host answers late, not at all, or no; the link is cut; the clock jumps; the hub
// is restarted. The host keeps count itself of what it has started, as its store would.

import { setImmediate as turn } from 'node:timers/promises'
import pino from 'pino'
import { vi } from 'vitest'
import { failure } from '../../src/contract/errors.ts'
import { implement } from '../../src/contract/implementation.ts'
import { cancelRun, type Run, RunSpec, startRun } from '../../src/contract/run.ts'
import { createFleet } from '../../src/hub/fleet.ts'
import type { Mirror } from '../../src/hub/mirror.ts'
import { openQueue, type Queue } from '../../src/hub/queue.ts'
import { testHost } from '../../src/hub/test-parts.ts'
import type { Job } from '../../src/store/jobs/job.ts'
import type { Store } from '../../src/store/store.ts'

const log = pino({ level: 'silent' })
const spec = RunSpec.parse({ kind: 'command', argv: ['true'] })
const manners = ['answers', 'answers', 'answer lost', 'refuses', 'not ready', 'late', 'silent'] as const
const secondMs = 1_000

export interface Outcome {
  readonly jobs: readonly (Job | undefined)[]
  /** Runs that the host has, each with the highest fence that it was shown. */
  readonly onHost: ReadonlyMap<string, number>
  readonly refused: ReadonlySet<string>
  readonly endedOnHost: ReadonlySet<string>
  /** Jobs whose end was told, and then another. */
  readonly endedTwice: number
}

export async function runSchedule(id: string, store: Store, mirror: Mirror, random: () => number): Promise<Outcome> {
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)] as T
  const onHost = new Map<string, number>()
  const refused = new Set<string>()
  const endedOnHost = new Set<string>()
  const ends = new Map<string, string>()
  let endedTwice = 0
  let healed = false

  const host = testHost(id, [
    implement(cancelRun, async ({ run }) => {
      throw failure('run.unknown', { run })
    }),
    implement(startRun, async ({ run, fence }) => {
      const seen = onHost.get(run)
      if (seen !== undefined && fence < seen) throw failure('claim.lost', { run })
      const manner = healed ? 'answers' : pick(manners)
      if (manner === 'not ready') throw failure('host.not_ready')
      if (manner === 'refuses' && seen === undefined) {
        refused.add(run)
        throw failure('run.kind_unsupported', { host: id, kind: 'command' })
      }
      onHost.set(run, fence)
      if (manner === 'late') await new Promise((resolve) => setTimeout(resolve, Math.floor(random() * 60) * secondMs))
      if (manner === 'silent') await new Promise(() => {})
      if (manner === 'answer lost') throw failure('wire.closed', { reason: 'cut' })
      return runOf(id, run)
    }),
  ])
  const fleet = createFleet(host)
  const open = () => openQueue({ store, fleet, mirror, owner: 'hub', log })
  let queue: Queue = await open()
  const runs: string[] = []

  const steps: Record<string, () => Promise<unknown>> = {
    async submit() {
      const key = `${id}.${Math.floor(random() * 4)}`
      const { run } = await queue.submit({ host, spec, key, parent: null, queue: true, expiresInMs: 86_400_000 })
      if (!runs.includes(run)) runs.push(run)
    },
    pass: () => pass(1 + Math.floor(random() * 40)),
    async end() {
      const run = pick([...onHost.keys(), undefined])
      if (run === undefined) return
      endedOnHost.add(run)
      await queue.note(id, { id: run, state: 'succeeded', error: null })
    },
    async cut() {
      host.cut()
      await pass(Math.floor(random() * 10))
      host.dial()
      queue.claim()
    },
    async jump() {
      vi.setSystemTime(Date.now() + Math.floor((random() - 0.5) * 7_200_000))
    },
    async restart() {
      await queue[Symbol.asyncDispose]()
      queue = await open()
    },
  }

  async function pass(seconds: number): Promise<void> {
    for (let second = 0; second < seconds; second++) {
      await vi.advanceTimersByTimeAsync(secondMs)
      await settle()
    }
    for (const run of runs) {
      const job = await queue.look(run)
      if (job?.state !== 'ended') {
        if (ends.has(run)) endedTwice += 1
        continue
      }
      const end = `${job.runState} ${job.endedAt}`
      if ((ends.get(run) ?? end) !== end) endedTwice += 1
      ends.set(run, end)
    }
  }

  await steps.submit?.()
  for (let step = 5 + Math.floor(random() * 8); step > 0; step--) await steps[pick(Object.keys(steps))]?.()
  healed = true
  // The longest that anything can hold a job: a start's deadline, and after a jump backwards a lease from the future.
  await pass(60)
  await queue[Symbol.asyncDispose]()
  queue = await open()
  await pass(5)
  const jobs = await Promise.all(runs.map((run) => queue.look(run)))
  await queue[Symbol.asyncDispose]()
  return { jobs, onHost, refused, endedOnHost, endedTwice }
}

/** Whatever can be done without time passing is done: commits wait for a turn of the loop each. */
async function settle(): Promise<void> {
  for (let n = 0; n < 6; n++) await turn()
}

function runOf(host: string, id: string): Run {
  return {
    id,
    host,
    kind: 'command',
    state: 'starting',
    title: 'true',
    parent: null,
    createdAt: new Date().toISOString(),
    startedAt: null,
    endedAt: null,
    pid: null,
    exit: null,
    error: null,
    output: { stdout: 0, stderr: 0 },
    lastEvent: 1,
    unreachableSince: null,
  }
}
