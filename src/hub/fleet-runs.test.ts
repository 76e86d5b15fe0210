import fc from 'fast-check'
import { expect, test } from 'vitest'
import { direct } from '../contract/direct.ts'
import { failure } from '../contract/errors.ts'
import { implement, implementation, type Principal } from '../contract/implementation.ts'
import { listRuns, RunSpec } from '../contract/run.ts'
import { submitJob } from '../store/jobs/submit.ts'
import { acceptRun, listRuns as listStored } from '../store/runs.ts'
import { createFleet, type FleetHost } from './fleet.ts'
import { fleetRuns } from './fleet-runs.ts'
import { openTestHome, testHost } from './test-parts.ts'

const asker: Principal = { kind: 'self', id: 'test', role: 'operator', scopes: new Set(['read']) }
const spec = RunSpec.parse({ kind: 'command', argv: ['true'] })
const where = fc.record({
  host: fc.constantFrom('local', 'host_b'),
  waits: fc.boolean(),
  hasReached: fc.boolean(),
  ms: fc.nat(5),
})

test('over any pages, every run of every host and of the queue comes once, newest first', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(where, { maxLength: 14 }), fc.integer({ min: 1, max: 5 }), async (runs, limit) => {
      await using home = await openTestHome()
      const { store } = home
      for (const [n, { host, waits, hasReached, ms }] of runs.entries()) {
        const of = { host, run: `run_${n}`, spec, parent: null, title: 'true' }
        const createdAt = new Date(ms).toISOString()
        if (waits) await submitJob(store, { ...of, key: null, fingerprint: 'f', queue: true, createdAt, expiresAt: createdAt })
        if (!waits || hasReached) await acceptRun(store, { ...of, fence: 0, at: createdAt })
      }
      const fleet = createFleet(testHost('local', []))
      fleet.add(testHost('host_b', []))
      const offers = ({ id }: FleetHost) =>
        implementation(implement(listRuns, (filter) => listStored(store, { host: id, ...filter })))
      const door = { offers, caller: (host: FleetHost) => direct(offers(host), asker), forget() {} }
      const { list } = fleetRuns({ store, fleet, door })

      const listed: { createdAt: string; id: string }[] = []
      for (let before: string | undefined | null; before !== null; ) {
        const page = await list({ limit, deadlineMs: 2_000, ...(before !== undefined && { before }) })
        expect(page.runs.length).toBeLessThanOrEqual(limit)
        listed.push(...page.runs)
        before = page.next
      }
      expect(listed.map(({ id }) => id).sort()).toEqual(runs.map((_, n) => `run_${n}`).sort())
      const times = listed.map(({ createdAt }) => createdAt)
      expect(times).toEqual([...times].sort().reverse())
    }),
    { numRuns: 40 },
  )
}, 60_000)

test('a host that cannot be asked is named, and the rest of the list is intact', async () => {
  await using home = await openTestHome()
  const { store } = home
  await acceptRun(store, { host: 'local', run: 'run_1', spec, parent: null, title: 'true', fence: 0 })
  const fleet = createFleet(testHost('local', []))
  fleet.add(testHost('host_b', []))
  const offers = ({ id }: FleetHost) =>
    implementation(
      implement(listRuns, async (filter) => {
        if (id === 'host_b') throw failure('host.offline', { host: id, reason: 'cut' })
        return listStored(store, { host: id, ...filter })
      }),
    )
  const door = { offers, caller: (host: FleetHost) => direct(offers(host), asker), forget() {} }
  const page = await fleetRuns({ store, fleet, door }).list({ limit: 10, deadlineMs: 2_000 })
  expect(page).toMatchObject({ runs: [{ id: 'run_1' }], next: null, unanswered: [{ host: 'host_b' }] })
})
