// A fleet in which some hosts accept connections and never answer, and some refuse them: lists mark those and stay as quick as their
// deadline. A loaded machine does not decide: what its event loop was late by is taken off.

import { createServer } from 'node:net'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { expect, test } from 'vitest'
import { listFleetRuns } from '../../src/contract/fleet.ts'
import { addHost, listHosts } from '../../src/contract/host.ts'
import { until } from '../resources/muster.ts'
import { openOtherHub } from '../resources/other-hub.ts'
import { openProxy } from '../resources/proxy.ts'
import { openTestHub, type TestHub } from './hub-fixture.ts'

const kinds = { well: 80, hanging: 10, refusing: 10 } as const
const deadlineMs = 2_000
const graceMs = 100

test('of 100 hosts, 10 hanging and 10 refusing: both lists answer within their deadline, and the rest is intact', async () => {
  await using far = await openOtherHub()
  await using line = await openProxy(far.url)
  await using hub = await openTestHub()
  await add(hub, 'well', far.url, far.token)
  await add(hub, 'hanging', line.url, far.token)
  await add(hub, 'refusing', `http://127.0.0.1:${await closedPort()}`, far.token)
  await until('all that can be reached are online', async () => {
    const { hosts } = await hub.caller.call(listHosts, {})
    const online = hosts.filter(({ status }) => status === 'online').length
    return online === 1 + kinds.well + kinds.hanging ? true : undefined
  })
  line.swallow()

  const probed = await timed(() => hub.caller.call(listHosts, { probe: true, deadlineMs }))
  const listed = await timed(() => hub.caller.call(listFleetRuns, { deadlineMs }))
  console.log(
    `100 hosts, 10 hanging, 10 refusing, deadline ${deadlineMs} ms: probe ${probed.tookMs} ms, runs ${listed.tookMs} ms ` +
      `(event loop late by ${probed.lateMs} and ${listed.lateMs} ms at most)`,
  )

  const answered = new Map(probed.answer.hosts.map(({ name, probe }) => [name, probe?.answered]))
  for (const name of names('well')) expect(answered.get(name), name).toBe(true)
  for (const name of [...names('hanging'), ...names('refusing')]) expect(answered.get(name), name).toBe(false)
  expect(new Set(listed.answer.unanswered.map(({ host }) => host))).toEqual(new Set([...names('hanging'), ...names('refusing')]))
  // Else none of them hung.
  expect(Math.min(probed.tookMs, listed.tookMs)).toBeGreaterThanOrEqual(deadlineMs - 10)
  expect(probed.tookMs - probed.lateMs).toBeLessThan(deadlineMs + graceMs)
  expect(listed.tookMs - listed.lateMs).toBeLessThan(deadlineMs + graceMs)
})

function names(kind: keyof typeof kinds): string[] {
  return Array.from({ length: kinds[kind] }, (_, i) => `${kind}-${i}`)
}

async function add(hub: TestHub, kind: keyof typeof kinds, url: string, secret: string): Promise<void> {
  for (const name of names(kind)) {
    await hub.caller.call(addHost, { name, connector: { kind: 'http', url }, secret, probe: false })
  }
}

/** What it took, and the longest that this process was kept from looking at its timers meanwhile. */
async function timed<T>(work: () => Promise<T>): Promise<{ answer: T; tookMs: number; lateMs: number }> {
  using late = monitorEventLoopDelay({ resolution: 10 })
  late.enable()
  const started = performance.now()
  const answer = await work()
  const tookMs = Math.round(performance.now() - started)
  return { answer, tookMs, lateMs: Math.max(0, Math.round(late.max / 1e6) - 10) }
}

/** One that was free a moment ago. */
async function closedPort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  return typeof address === 'object' && address !== null ? address.port : 1
}
