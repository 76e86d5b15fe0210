// What it costs to ask a host something: an operation asked at the hub, over a tunnel, through the node's front door and policy.

import { applyProc } from '../../src/contract/proc.ts'
import { keepApart } from '../apart.ts'
import { type Answerer, oneByOne, perSecond } from '../asking.ts'
import type { Figure, Measured, Row, Settings } from '../figure.ts'
import { type HubHere, openHubHere } from '../hub-here.ts'
import { startIdleFleet } from '../idle-fleet.ts'
import { inTurns, medianOf, percentile } from '../measure.ts'
import { endOf, startMuster } from '../muster.ts'
import { natsName, startNats } from '../peers/nats.ts'
import { sshName, startSsh } from '../peers/ssh.ts'
import { startWsEcho, wsName } from '../peers/ws-echo.ts'
import { question } from '../programs/question.ts'

/** Compilers need some ten thousand calls before every side is as fast as it gets. */
const warmUps = 3

type Sides = { ours: Answerer['ask']; ws: Answerer['ask']; nats?: Answerer['ask'] }

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
      const sides = { ours: () => box.call(applyProc, question), ws: ws.ask, ...(nats && { nats: nats.ask }) }
      const answering = [node, ...ws.pids, ...(nats?.pids ?? [])]
      rows.push(...(await oneAtATime(sides, answering, settings)))
      for (const inFlight of [10, 64, 100, 256]) rows.push(...(await pipelined(sides, inFlight, settings)))
      for (const nodes of settings.quick ? [10] : [10, 100]) rows.push(await amongOthers(hub, sides, answering, nodes, settings))
      if (!nats) rows.push({ what: `beside ${natsName}`, skipped: 'nats-server or its client is not installed' })
    }
    rows.push(await execTrue(settings))
    return rows
  },
}

async function oneAtATime(sides: Sides, answering: number[], { rounds, quick, say }: Settings): Promise<Row[]> {
  await using apart = await keepApart(answering)
  const calls = quick ? 1000 : 5000
  const measure = (ask: Answerer['ask']) => () => oneByOne(ask, calls)
  const measured = await inTurns(rounds, eachSide(sides, measure), { warmUps })
  return [50, 99].flatMap((percent) => {
    const value = (took: number[][]) =>
      medianOf(
        took.map((one) => percentile(one, percent)),
        'µs',
      )
    const what = `one call at a time, p${percent}`
    const ours = value(measured.ours)
    say(`${what}: ${ours.median.toFixed(0)} µs`)
    const ws = { name: wsName, ...value(measured.ws) }
    const note = apart ? 'the one who asks has a core, those who answer another' : 'no core of their own'
    const rows: Measured[] = [{ what, ours, peer: ws, note }]
    if (measured.nats) rows.push({ what, ours, peer: { name: natsName, ...value(measured.nats) }, note })
    return percent === 50 ? rows.map(withLatencyGoal) : rows
  })
}

/** The same call while other nodes are online, which do nothing. */
async function amongOthers(
  hub: HubHere,
  sides: Sides,
  answering: number[],
  nodes: number,
  { rounds, quick }: Settings,
): Promise<Row> {
  const tokens: string[] = []
  while (tokens.length < nodes - 1) tokens.push(await hub.enroll(`${nodes}-${tokens.length}`))
  await using _others = await startIdleFleet(hub.url, tokens)
  await using _apart = await keepApart(answering)
  const measure = (ask: Answerer['ask']) => async () => percentile(await oneByOne(ask, quick ? 1000 : 5000), 50)
  const measured = await inTurns(rounds, { ours: measure(sides.ours), ws: measure(sides.ws) })
  return {
    what: `one call at a time, ${nodes} nodes online, p50`,
    ours: medianOf(measured.ours, 'µs'),
    peer: { name: wsName, ...medianOf(measured.ws, 'µs') },
  }
}

function withLatencyGoal(row: Measured): Measured {
  const { ours, peer } = row
  if (!peer) return row
  const [words, most] = peer.name === wsName ? ['≤ 2 × bare ws', 2 * peer.median] : ['ahead of NATS', peer.median]
  return { ...row, goal: { words, met: ours.median <= most } }
}

async function pipelined(sides: Sides, inFlight: number, { rounds, quick, say }: Settings): Promise<Row[]> {
  const calls = quick ? 5000 : 20_000
  const measured = await inTurns(
    rounds,
    eachSide(sides, (ask) => () => perSecond(ask, calls, inFlight)),
    { warmUps: 1 },
  )
  const what = `calls a second, ${inFlight} in flight`
  const ours = medianOf(measured.ours, '/s')
  say(`${what}: ${ours.median.toFixed(0)}`)
  const rows: Row[] = [{ what, ours, peer: { name: wsName, ...medianOf(measured.ws, '/s') } }]
  if (measured.nats) {
    const nats = medianOf(measured.nats, '/s')
    rows.push({
      what,
      ours,
      peer: { name: natsName, ...nats },
      goal: { words: 'ahead of NATS', met: ours.median >= nats.median },
    })
  }
  return rows
}

function eachSide<Sample>({ ours, ws, nats }: Sides, measure: (ask: Answerer['ask']) => () => Promise<Sample>) {
  return { ours: measure(ours), ws: measure(ws), ...(nats && { nats: measure(nats) }) }
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
