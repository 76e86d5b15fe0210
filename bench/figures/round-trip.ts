// What it costs to ask a host something: an operation asked at the hub, over a tunnel, through the node's front door and policy.

import { applyProc } from '../../src/contract/proc.ts'
import { keepApart } from '../apart.ts'
import { type Answerer, oneByOne } from '../asking.ts'
import { oneAtATime, pipelined } from '../beside-peers.ts'
import type { Figure, Row, Settings } from '../figure.ts'
import { type HubHere, openHubHere } from '../hub-here.ts'
import { startIdleFleet } from '../idle-fleet.ts'
import { inTurns, medianOf, percentile } from '../measure.ts'
import { endOf, startMuster } from '../muster.ts'
import { natsMissing, natsName, startNats } from '../peers/nats.ts'
import { sshName, startSsh } from '../peers/ssh.ts'
import { startWsEcho, wsName } from '../peers/ws-echo.ts'
import { question } from '../programs/question.ts'

export const figure: Figure = {
  name: 'round-trip',
  title: 'Round trip: hub → tunnel → node, through scope, schema and policy',
  async measure(settings) {
    const rows: Row[] = []
    {
      await using hub = await openHubHere()
      const node = await hub.join('box')
      const box = await hub.host('box')
      await using ws = await startWsEcho()
      await using nats = await startNats()
      const peers = [ws, ...(nats ? [nats] : [])]
      const ask = () => box.call(applyProc, question)
      rows.push(...(await oneAtATime({ what: 'one call at a time', ask, answering: [node] }, peers, settings)))
      for (const inFlight of [10, 64, 100, 256])
        rows.push(...(await pipelined({ what: 'calls', ask }, peers, { inFlight, aheadOf: natsName }, settings)))
      for (const nodes of settings.quick ? [10] : [10, 100])
        rows.push(await amongOthers(hub, { ask, ws, answering: [node, ...ws.pids] }, nodes, settings))
      if (!nats) rows.push(natsMissing)
    }
    rows.push(await execTrue(settings))
    return rows
  },
}

/** The same call while other nodes are online, which do nothing. */
async function amongOthers(
  hub: HubHere,
  { ask, ws, answering }: { ask: Answerer['ask']; ws: Answerer; answering: readonly number[] },
  nodes: number,
  { rounds, quick }: Settings,
): Promise<Row> {
  const tokens: string[] = []
  while (tokens.length < nodes - 1) tokens.push(await hub.enroll(`${nodes}-${tokens.length}`))
  await using _others = await startIdleFleet(hub.url, tokens)
  await using _apart = await keepApart(answering)
  const measure = (one: Answerer['ask']) => async () => percentile(await oneByOne(one, quick ? 1000 : 5000), 50)
  const measured = await inTurns(rounds, { ours: measure(ask), ws: measure(ws.ask) })
  return {
    what: `one call at a time, ${nodes} nodes online, p50`,
    ours: medianOf(measured.ours, 'µs'),
    peer: { name: wsName, ...medianOf(measured.ws, 'µs') },
  }
}

/** A command to its end, asked at the HTTP API, beside the same over an open ssh connection. */
async function execTrue({ rounds, quick }: Settings): Promise<Row> {
  await using muster = await startMuster()
  await muster.join('box')
  await muster.warm('box')
  await using ssh = await startSsh()
  const box = muster.client.host('box')
  const times = quick ? 20 : 100
  const measured = await inTurns(
    rounds,
    {
      ours: async () => {
        const took = await oneByOne(async () => endOf(box, (await muster.submit('box', ['true'])).id), times)
        return percentile(took, 50) / 1000
      },
      ...(ssh && { ssh: async () => percentile(await oneByOne(() => ssh.run('true'), times), 50) / 1000 }),
    },
    { warmUps: 1 },
  )
  return {
    what: '`true` to its end on a tunnel host, asked over HTTP, p50',
    ours: medianOf(measured.ours, 'ms'),
    ...(measured.ssh && { peer: { name: sshName, ...medianOf(measured.ssh, 'ms') } }),
    note: 'Muster records the run durably on hub and host, each step before the next; ssh is a new client process for each command, as it is used',
  }
}
