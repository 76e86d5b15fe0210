// What it costs to invoke a command: through scope, trust, schema, policy and audit, over a tunnel, to a node that runs it and back.

import { invokeCommand } from '../../src/contract/command.ts'
import { keepApart } from '../apart.ts'
import { type Answerer, oneByOne, perSecond } from '../asking.ts'
import type { Figure, Measured, Row, Settings } from '../figure.ts'
import { openHubHere } from '../hub-here.ts'
import { inTurns, medianOf, percentile } from '../measure.ts'
import { startMuster } from '../muster.ts'
import { natsName, startNats } from '../peers/nats.ts'
import { sshName, startSsh } from '../peers/ssh.ts'
import { startWsEcho, wsName } from '../peers/ws-echo.ts'

const warmUps = 3

type Sides = { ours: Answerer['ask']; ws: Answerer['ask']; nats?: Answerer['ask'] }

export const figure: Figure = {
  name: 'invoke',
  title: 'Invoke: an allowed plain command, hub → tunnel → node → hub, through scope, trust, schemas, policy and audit',
  async measure(settings) {
    const rows: Row[] = []
    {
      await using hub = await openHubHere()
      const node = await hub.join('box')
      const box = await hub.host('box')
      await using ws = await startWsEcho()
      await using nats = await startNats()
      const invoke = () => box.call(invokeCommand, { command: 'system.info' })
      const sides = { ours: invoke, ws: ws.ask, ...(nats && { nats: nats.ask }) }
      rows.push(...(await oneAtATime(sides, [node, ...ws.pids, ...(nats?.pids ?? [])], settings)))
      rows.push(...(await pipelined(sides, settings)))
      if (!nats) rows.push({ what: `beside ${natsName}`, skipped: 'nats-server or its client is not installed' })
    }
    rows.push(await execTrue(settings))
    return rows
  },
}

const what = '`system.info`, one at a time, p'
const note = 'the node reads load and free memory of its system for each; the peers answer what they have'

async function oneAtATime(sides: Sides, answering: number[], { rounds, quick, say }: Settings): Promise<Row[]> {
  await using _apart = await keepApart(answering)
  const calls = quick ? 1000 : 5000
  const measure = (ask: Answerer['ask']) => () => oneByOne(ask, calls)
  const { ours, ws, nats } = sides
  const measured = await inTurns(
    rounds,
    { ours: measure(ours), ws: measure(ws), ...(nats && { nats: measure(nats) }) },
    { warmUps },
  )
  return [50, 99].flatMap((percent) => {
    const value = (took: number[][]) =>
      medianOf(
        took.map((one) => percentile(one, percent)),
        'µs',
      )
    const mine = value(measured.ours)
    say(`${what}${percent}: ${mine.median.toFixed(0)} µs`)
    const beside = { name: wsName, ...value(measured.ws) }
    const goal = { words: '≤ 2 × bare ws', met: mine.median <= 2 * beside.median }
    const rows: Measured[] = [{ what: `${what}${percent}`, ours: mine, peer: beside, note, ...(percent === 50 && { goal }) }]
    if (measured.nats) {
      const theirs = value(measured.nats)
      const ahead = { words: 'ahead of NATS', met: mine.median <= theirs.median }
      rows.push({
        what: `${what}${percent}`,
        ours: mine,
        peer: { name: natsName, ...theirs },
        note,
        ...(percent === 50 && { goal: ahead }),
      })
    }
    return rows
  })
}

async function pipelined({ ours, ws, nats }: Sides, { rounds, quick, say }: Settings): Promise<Row[]> {
  const calls = quick ? 5000 : 20_000
  const inFlight = 64
  const rate = (ask: Answerer['ask']) => () => perSecond(ask, calls, inFlight)
  const measured = await inTurns(rounds, { ours: rate(ours), ws: rate(ws), ...(nats && { nats: rate(nats) }) }, { warmUps: 1 })
  const mine = medianOf(measured.ours, '/s')
  say(`invocations a second, ${inFlight} in flight: ${mine.median.toFixed(0)}`)
  const row = { what: `\`system.info\` a second, ${inFlight} in flight`, ours: mine }
  return [
    { ...row, peer: { name: wsName, ...medianOf(measured.ws, '/s') } },
    ...(measured.nats ? [{ ...row, peer: { name: natsName, ...medianOf(measured.nats, '/s') } }] : []),
  ]
}

/** A program to its end, asked at the HTTP API, beside the same over an open ssh connection. */
async function execTrue({ rounds, quick, say }: Settings): Promise<Row> {
  await using muster = await startMuster()
  await muster.join('box', ['exec'])
  await using ssh = await startSsh()
  const box = muster.client.host('box')
  const times = quick ? 20 : 100
  const p50 = (ask: () => Promise<unknown>) => async () => percentile(await oneByOne(ask, times), 50) / 1000
  const invoke = () => box.call(invokeCommand, { command: 'exec', params: { argv: ['true'] } })
  const measured = await inTurns(rounds, { ours: p50(invoke), ...(ssh && { ssh: p50(() => ssh.run('true')) }) }, { warmUps: 1 })
  const ours = medianOf(measured.ours, 'ms')
  say(`\`exec\` of \`true\`, asked over HTTP: ${ours.median.toFixed(2)} ms`)
  const theirs = measured.ssh && medianOf(measured.ssh, 'ms')
  return {
    what: '`exec` of `true` on a tunnel host, asked over HTTP, p50',
    ours,
    ...(theirs && { peer: { name: sshName, ...theirs }, goal: { words: 'ahead of ssh', met: ours.median < theirs.median } }),
    note: 'an invocation is no run: nothing of it is kept; ssh is a new client process for each command, as it is used',
  }
}
