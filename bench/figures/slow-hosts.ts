// How long the lists take that ask every host, where some take connections and never answer and some refuse them: the deadline is theirs,
// and all that the hub does around it comes on top.

import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { listFleetRuns } from '../../src/contract/fleet.ts'
import { addHost, listHosts } from '../../src/contract/host.ts'
import { createToken } from '../../src/contract/token.ts'
import { freePort } from '../../test/resources/free-port.ts'
import { joinNode, makeHome, until } from '../../test/resources/muster.ts'
import { openProxy } from '../../test/resources/proxy.ts'
import type { Figure, Row } from '../figure.ts'
import { inTurns, medianOf } from '../measure.ts'
import { type Muster, startMuster } from '../muster.ts'

const http = { well: 78, hanging: 6, refusing: 6 }
const others = { well: 2, hanging: 2, refusing: 2 }
const online = 1 + http.well + http.hanging + others.well + others.hanging
const deadlineMs = 2_000
const graceMs = 100

export const figure: Figure = {
  name: 'slow-hosts',
  title: 'Lists over 100 hosts (http, ssh, tunnel), 10 hanging and 10 refusing, asked over HTTP at the hub',
  async measure({ rounds, quick, say }): Promise<Row[]> {
    await using opened = new AsyncDisposableStack()
    const muster = opened.use(await startMuster())
    const { hub } = muster.client
    const hanging = await addHosts(muster, opened)
    /** A host that has been silent for long is known to be away, and asked no more: each round begins with all of them well. */
    const measured = async (ask: () => Promise<unknown>) => {
      hanging.goOn()
      await until('all that can be reached are online', async () => {
        const { hosts } = await hub.call(listHosts, {})
        return hosts.filter(({ status }) => status === 'online').length === online ? true : undefined
      })
      hanging.hang()
      const startedAt = performance.now()
      await ask()
      return performance.now() - startedAt
    }
    const took = await inTurns(quick ? Math.min(rounds, 2) : rounds, {
      probe: () => measured(() => hub.call(listHosts, { probe: true, deadlineMs })),
      runs: () => measured(() => hub.call(listFleetRuns, { deadlineMs })),
    })
    const ours = { probe: medianOf(took.probe, 'ms'), runs: medianOf(took.runs, 'ms') }
    say(`host list --probe ${ours.probe.median.toFixed(0)} ms, runs ${ours.runs.median.toFixed(0)} ms`)
    const goal = (median: number) => ({
      words: `the deadline of ${deadlineMs} ms and ${graceMs} ms`,
      met: median >= deadlineMs - 10 && median <= deadlineMs + graceMs,
    })
    return [
      { what: '`host list --probe`', ours: ours.probe, goal: goal(ours.probe.median) },
      { what: '`run list`', ours: ours.runs, goal: goal(ours.runs.median) },
    ]
  },
}

/** The hosts that hang when they are told to. */
interface Hanging {
  hang(): void
  goOn(): void
}

async function addHosts(muster: Muster, opened: AsyncDisposableStack): Promise<Hanging> {
  const { client, hub } = muster
  const far = opened.use(await startMuster())
  const { token } = await far.client.hub.call(createToken, { name: 'center', role: 'operator' })
  const line = opened.use(await openProxy(far.hub.url))
  const silent = opened.use(await listenSilently())
  const closed = await freePort()
  const add = (name: string, connector: { kind: string } & Record<string, unknown>, secret?: string) =>
    client.hub.call(addHost, { name, connector, probe: false, ...(secret !== undefined && { secret }) })
  const join = async (name: string) => opened.use(await joinNode(hub, name, opened.use(await makeHome())))

  const urls = { well: far.hub.url, hanging: line.url, refusing: `http://127.0.0.1:${closed}` }
  for (const how of ['well', 'hanging', 'refusing'] as const) {
    for (const n of upTo(http[how])) await add(`http-${how}-${n}`, { kind: 'http', url: urls[how] }, token)
  }
  const ports = { hanging: silent.port, refusing: closed }
  for (const how of ['hanging', 'refusing'] as const) {
    for (const n of upTo(others[how]))
      await add(`ssh-${how}-${n}`, { kind: 'ssh', destination: 'nobody@127.0.0.1', port: ports[how] })
  }
  for (const n of upTo(others.well)) await join(`tunnel-well-${n}`)
  for (const n of upTo(others.refusing)) await (await join(`tunnel-refusing-${n}`)).kill()
  const frozen = await Promise.all(upTo(others.hanging).map((n) => join(`tunnel-hanging-${n}`)))
  return {
    hang() {
      line.swallow()
      for (const { pid } of frozen) process.kill(pid, 'SIGSTOP')
    },
    goOn() {
      line.mend()
      for (const { pid } of frozen) process.kill(pid, 'SIGCONT')
    },
  }
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

function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, n) => n)
}
