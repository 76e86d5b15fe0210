// A fleet in which some hosts take connections and never answer, and some refuse them, over http, ssh and tunnels: lists mark those and stay
// as quick as their deadline. How quick is a figure of the bench (`slow-hosts`); here a loaded machine has seconds to spare.

import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { expect, test } from 'vitest'
import { listFleetRuns } from '../../src/contract/fleet.ts'
import { addHost, getHostInfo, listHosts } from '../../src/contract/host.ts'
import { type Implementation, implement, implementation } from '../../src/contract/implementation.ts'
import { until } from '../resources/muster.ts'
import { openOtherHub } from '../resources/other-hub.ts'
import { openProxy } from '../resources/proxy.ts'
import { openTestHub, type TestHub } from './hub-fixture.ts'

const http = { well: 78, hanging: 6, refusing: 6 } as const
const others = { well: 2, hanging: 2, refusing: 2 } as const
const deadlineMs = 2_000
const allowanceMs = 8_000

test('of 100 hosts, 10 hanging and 10 refusing: both lists answer within their deadline, and the rest is intact', async () => {
  await using far = await openOtherHub()
  await using line = await openProxy(far.url)
  await using silent = await listenSilently()
  await using hub = await openTestHub()
  const closed = await closedPort()
  const urls = { well: far.url, hanging: line.url, refusing: `http://127.0.0.1:${closed}` }
  for (const [how, url] of Object.entries(urls) as [keyof typeof http, string][])
    for (const name of names('http', how, http)) await add(hub, name, { kind: 'http', url }, far.token)
  for (const [how, port] of [
    ['hanging', silent.port],
    ['refusing', closed],
  ] as const)
    for (const name of names('ssh', how, others)) await add(hub, name, { kind: 'ssh', destination: 'nobody@127.0.0.1', port })
  await using nodes = new AsyncDisposableStack()
  for (const name of names('tunnel', 'well', others)) nodes.use(await hub.join(name))
  for (const name of names('tunnel', 'hanging', others)) nodes.use(await hub.join(name, neverSaysHowItIs))
  for (const name of names('tunnel', 'refusing', others)) await nodes.use(await hub.join(name)).cut()
  await until('all that can be reached are online', async () => {
    const { hosts } = await hub.caller.call(listHosts, {})
    const online = hosts.filter(({ status }) => status === 'online').length
    return online === 1 + http.well + http.hanging + others.well + others.hanging ? true : undefined
  })
  line.swallow()

  const probed = await timed(() => hub.caller.call(listHosts, { probe: true, deadlineMs }))
  const listed = await timed(() => hub.caller.call(listFleetRuns, { deadlineMs }))
  console.log(
    `100 hosts, 10 hanging, 10 refusing, deadline ${deadlineMs} ms: probe ${probed.tookMs} ms, runs ${listed.tookMs} ms`,
  )

  const answered = probed.answer.hosts.filter(({ probe }) => probe?.answered).map(({ name }) => name)
  expect(new Set(answered)).toEqual(new Set(['local', ...names('http', 'well', http), ...names('tunnel', 'well', others)]))
  expect(probed.answer.hosts).toHaveLength(101)
  // Runs of hosts that are mirrored are read from the copy; one that is away is named all the same, one that never was has none.
  const unanswered = [
    ...names('http', 'hanging', http),
    ...names('http', 'refusing', http),
    ...names('tunnel', 'refusing', others),
  ]
  expect(new Set(listed.answer.unanswered.map(({ host }) => host))).toEqual(new Set(unanswered))
  // Else none of them hung.
  expect(Math.min(probed.tookMs, listed.tookMs)).toBeGreaterThanOrEqual(deadlineMs - 10)
  expect(Math.max(probed.tookMs, listed.tookMs)).toBeLessThan(deadlineMs + allowanceMs)
})

function names<How extends string>(kind: string, how: How, counts: Readonly<Record<How, number>>): string[] {
  return Array.from({ length: counts[how] }, (_, i) => `${kind}-${how}-${i}`)
}

async function add(
  hub: TestHub,
  name: string,
  connector: { kind: string } & Record<string, unknown>,
  secret?: string,
): Promise<void> {
  await hub.caller.call(addHost, { name, connector, probe: false, ...(secret !== undefined && { secret }) })
}

function neverSaysHowItIs(its: Implementation): Implementation {
  const hanging = implementation(implement(getHostInfo, (_input, { signal }) => aborted(signal)))
  return new Map([...its, ...hanging])
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }))
}

async function timed<T>(work: () => Promise<T>): Promise<{ answer: T; tookMs: number }> {
  const started = performance.now()
  const answer = await work()
  return { answer, tookMs: Math.round(performance.now() - started) }
}

/** Takes connections and says nothing. */
async function listenSilently(): Promise<AsyncDisposable & { port: number }> {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => void sockets.add(socket.on('error', () => undefined))).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      server.close()
      for (const socket of sockets) socket.destroy()
      await once(server, 'close')
    },
  }
}

/** One that was free a moment ago. */
async function closedPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
