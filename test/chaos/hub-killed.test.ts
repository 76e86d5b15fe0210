// A hub that is killed at any instant, while it starts, recovers or works, loses nothing that it accepted and starts nothing twice.

import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { asMusterError, hasCode } from '../../src/contract/errors.ts'
import { listFleetRuns, submitRun } from '../../src/contract/fleet.ts'
import { isTerminal, type Run, type RunState, runStates } from '../../src/contract/run.ts'
import type { HubClient } from '../../src/sdk/client.ts'
import { until } from '../resources/muster.ts'
import { compareStarts, countStarts, keepersOf, processesWith } from './checker.ts'
import { type Fleet, nodeName, startFleet } from './fleet.ts'
import { report, seed, seededRandom, trials } from './trials.ts'

const kills = trials(200, 20)
const submitters = 8
/** More than what waits for its start at any instant, so that a kill always meets work, and less than what takes long to do. */
const mostWaiting = 60
const keyLength = 8
const endDeadlineMs = 120_000

/** In the environment of every command here, and of no other process. */
const mark = `CHAOS_HUB_KILLED=${process.pid}.${seed}`

it(`${kills} kills under load: every accepted run is started once and succeeds`, async () => {
  const random = seededRandom()
  await using fleet = await startFleet()
  const starts = join(fleet.hub.home, 'starts')
  const load = startLoad(fleet.client, starts, random)
  const begunAt = Date.now()
  let early = 0
  for (let kill = 1; kill <= kills; kill++) {
    // From the start of the process on: it may die before it has opened its store, or while it takes up what it left.
    const isEarly = random() < 0.4
    early += isEarly ? 1 : 0
    if (!isEarly) await fleet.hubAnswers()
    await delay(random() * 400)
    load.check()
    await fleet.hub.kill()
    fleet.hub.start()
    // The waits between a node's dials grow with each link that did not last: it is started anew before they outlast the test.
    if (kill % 3 === 0) await restartNode(fleet)
  }
  await fleet.hubAnswers()
  await restartNode(fleet)
  const { accepted, lostAnswers } = await load.end()
  await fleet.nodeOnline()
  const runs = await endedRuns(fleet.client)
  const counts = await countStarts(starts)
  const { lost, doubled, unknown } = compareStarts(accepted.keys(), counts)
  report(
    `hub-killed: seed ${seed}, ${kills} kills (${early} while starting), ${accepted.size} accepted, ${lostAnswers} answers lost, ` +
      `${counts.size} started, ${lost.length} lost, ${doubled.length} doubled, ${Math.round((Date.now() - begunAt) / 1000)} s`,
  )
  expect(accepted.size).toBeGreaterThanOrEqual(kills)
  expect({ lost, doubled, unknown }).toEqual({ lost: [], doubled: [], unknown: [] })
  expect(runs.filter(({ state }) => state !== 'succeeded')).toEqual([])
  expect(new Set(runs.map(({ id }) => id))).toEqual(new Set(accepted.values()))
  expect(runs).toHaveLength(accepted.size)
  expect(await processesWith(mark)).toEqual([])
  for (const { home } of [fleet.hub, fleet.node]) expect((await keepersOf(join(home, 'host'))).length).toBeLessThanOrEqual(1)
})

async function restartNode({ node }: Fleet): Promise<void> {
  await node.kill()
  node.start()
}

interface Load {
  /** Throws what a submitter has met. */
  check(): void
  /** Lets each submitter finish; answers the run of each accepted key. */
  end(): Promise<{ accepted: ReadonlyMap<string, string>; lostAnswers: number }>
}

/** Submitters that ask again, with the same key, for as long as they got no answer. */
function startLoad({ hub }: HubClient, starts: string, random: () => number): Load {
  const accepted = new Map<string, string>()
  let lastKey = 0
  let lostAnswers = 0
  let ending = false
  let problem: unknown

  async function submit(key: string, host: string): Promise<string> {
    // Some go on for a while, so that a kill meets commands that run.
    const line = Number(key) % 8 === 0 ? `echo ${key} >> ${starts}; exec sleep 0.3` : `echo ${key} >> ${starts}`
    const [name = '', value = ''] = mark.split('=')
    const spec = { kind: 'command' as const, argv: ['/bin/sh', '-c', line], env: { [name]: value } }
    return until(
      `${key} is accepted`,
      async () => {
        try {
          return (await hub.call(submitRun, { host, key, spec, queue: true })).id
        } catch (error) {
          if (!asMusterError(error).retryable) throw error
          // Refused connections were never asked anything.
          if (hasCode(error, 'wire.closed')) lostAnswers += 1
          return undefined
        }
      },
      undefined,
      endDeadlineMs,
    )
  }

  async function submitAll(host: string): Promise<void> {
    while (!ending) {
      const key = String(++lastKey).padStart(keyLength - 1, '0')
      const run = await submit(key, host)
      accepted.set(key, run)
      if (random() < 0.1) expect(await submit(key, host), 'the same key is the same run').toBe(run)
      await delay(random() * 20)
      await thereIsRoom()
    }
  }

  async function thereIsRoom(): Promise<void> {
    while (!ending && accepted.size - (await startedSoFar()) > mostWaiting) await delay(20)
  }

  const startedSoFar = async () => (await stat(starts).catch(() => ({ size: 0 }))).size / keyLength

  const work = Promise.all(Array.from({ length: submitters }, (_, i) => submitAll(i % 2 === 0 ? 'local' : nodeName))).catch(
    (error: unknown) => {
      problem = error
      ending = true
    },
  )
  const check = () => {
    if (problem !== undefined) throw problem
  }
  return {
    check,
    async end() {
      ending = true
      await work
      check()
      return { accepted, lostAnswers }
    },
  }
}

const live = (Object.keys(runStates) as RunState[]).filter((state) => !isTerminal(state))

/** All runs, once none is live any more. */
async function endedRuns({ hub }: HubClient): Promise<Run[]> {
  let left: Run[] = []
  await until(
    'every run has ended',
    async () => {
      left = (await hub.call(listFleetRuns, { states: live, limit: 1000 })).runs
      return left.length === 0 ? true : undefined
    },
    { log: () => JSON.stringify(left.slice(0, 3)) },
    endDeadlineMs,
  )
  const all: Run[] = []
  for (let before: string | undefined; ; ) {
    const { runs, next, unanswered } = await hub.call(listFleetRuns, { limit: 1000, ...(before && { before }) })
    expect(unanswered).toEqual([])
    all.push(...runs)
    if (next === null) return all
    before = next
  }
}
