// Two workers race for the jobs of one bucket, whose listings are late and repeat themselves, and whose answers get lost. The claim layer
// alone, without processes, so that many jobs are affordable; a hub cleans up behind them, which is what makes late listings dangerous.

import { expect, test } from 'vitest'
import { type Claims, openClaims } from '../../src/connectors/bucket/claims.ts'
import { introduce, joinCommand, joinKeyOf, parseJoinToken } from '../../src/connectors/bucket/join-token.ts'
import { claimKey, jobKey, parseKey } from '../../src/connectors/bucket/keys.ts'
import type { Objects } from '../../src/connectors/bucket/objects.ts'
import { openObjects } from '../../src/connectors/bucket/open-objects.ts'
import { temporaryIdentity } from '../../src/wire/identity.ts'
import { tokenIn } from '../connectors/bucket/fixture.ts'
import { s3Credentials, startS3 } from '../resources/s3-server.ts'
import { report, seed, seededRandom, trials } from './trials.ts'

const host = 'host_01ARZ3NDEKTSV4RRFFQ69G5FAV'
const atOnce = 12
const leaseMs = 60_000
const deadlineMs = 10 * 60_000

test('of two workers that race for jobs exactly one gets each, however late and often the store lists them', async () => {
  Object.assign(process.env, s3Credentials)
  const jobs = trials(10_000, 500)
  const random = seededRandom(seed)
  await using server = await startS3({
    listDelayMs: 400,
    listTwiceEvery: 7,
    unavailable: 0.002,
    conflict: 0.01,
    lostAnswer: 0.002,
    random,
  })
  const hub = temporaryIdentity()
  const place = { bucket: 's3://race', endpoint: server.endpoint }
  const token = tokenIn(joinCommand(place, { host, identity: hub }))
  const objects = await openObjects(place)
  const begun = new Map<string, string[]>()
  const over = new Set<string>()
  for (let i = 0; i < jobs; i++) server.write(jobKey(`run_${i}`), Buffer.from('a job'))

  async function race(name: string): Promise<void> {
    const identity = temporaryIdentity()
    const { introduction } = introduce(parseJoinToken(token), identity.publicKey)
    const claims = openClaims({ host, joinKey: joinKeyOf(hub, host), objects, identity, introduction, leaseMs })
    while (over.size < jobs && performance.now() - started < deadlineMs) {
      const seen = await look(objects)
      const order = [...seen.jobs].sort(() => random() - 0.5)
      await inParallel(order, (run) => tryOne(name, claims, run, seen.marks.get(run)))
    }
  }

  async function tryOne(name: string, claims: Claims, run: string, mark: string | undefined): Promise<void> {
    const vacancy = await claims.vacancy(run, mark, performance.now())
    const held = vacancy && (await claims.take(run, vacancy))
    if (!held) return
    if ((await objects.get(jobKey(run), 1_000)) === undefined) return await claims.drop(run, held)
    begun.set(run, [...(begun.get(run) ?? []), name])
    // As the hub does once it has the run's end.
    server.remove(jobKey(run))
    server.remove(claimKey(run, held.fence))
    over.add(run)
  }

  const started = performance.now()
  await Promise.all([race('one'), race('other')])

  const twice = [...begun].filter(([, by]) => by.length > 1)
  const seconds = Math.round((performance.now() - started) / 1000)
  const shares = ['one', 'other'].map((name) => [...begun.values()].filter(([by]) => by === name).length)
  const requests = [...server.counts].map(([what, count]) => `${what} ${(count / jobs).toFixed(2)}`).join(', ')
  report(
    `bucket race: ${jobs} jobs, double claims ${twice.length}, lost ${jobs - begun.size}, shares ${shares.join(':')}, ` +
      `requests per job ${requests}, ${seconds} s, seed ${seed}`,
  )
  expect({ twice, lost: jobs - begun.size, notOver: jobs - over.size }).toEqual({ twice: [], lost: 0, notOver: 0 })
  expect(Math.min(...shares)).toBeGreaterThan(0)
})

async function look(objects: Objects) {
  const jobs = new Set<string>()
  const marks = new Map<string, string>()
  for await (const { key, tag } of objects.list('q/')) {
    const named = parseKey(key)
    if (named?.kind === 'job') jobs.add(named.run)
    if (named?.kind === 'claim') marks.set(named.run, `${named.fence}:${tag}`)
  }
  return { jobs, marks }
}

async function inParallel(runs: readonly string[], work: (run: string) => Promise<void>): Promise<void> {
  const queue = runs.values()
  const lane = async () => {
    for (const run of queue) await work(run)
  }
  await Promise.all(Array.from({ length: atOnce }, lane))
}
