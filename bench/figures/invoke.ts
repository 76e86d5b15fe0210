// What it costs to invoke a command: through scope, trust, schema, policy and audit, over a tunnel, to a node that runs it and back.

import { join } from 'node:path'
import { approveApproval, listApprovals } from '../../src/contract/approval.ts'
import { invokeCommand } from '../../src/contract/command.ts'
import { makeHome, until } from '../../test/resources/muster.ts'
import { oneByOne } from '../asking.ts'
import { oneAtATime, pipelined } from '../beside-peers.ts'
import type { Figure, Row, Settings } from '../figure.ts'
import { type HubHere, openHubHere } from '../hub-here.ts'
import { inTurns, medianOf, percentile } from '../measure.ts'
import { startMuster } from '../muster.ts'
import { natsMissing, startNats } from '../peers/nats.ts'
import { sshName, startSsh } from '../peers/ssh.ts'
import { startWsEcho } from '../peers/ws-echo.ts'

const command = 'system.info'
const note = 'the node reads load and free memory of its system, ten times a second at most; the peers answer what they have'

export const figure: Figure = {
  name: 'invoke',
  title: 'Invoke a command, hub → tunnel → node → hub, through scope, trust, schemas, policy and audit',
  async measure(settings) {
    const rows: Row[] = []
    {
      await using hub = await openHubHere()
      rows.push(...(await plain(hub, settings)))
      rows.push(...(await sensitive(hub, settings)))
    }
    rows.push(await execTrue(settings))
    return rows
  },
}

/** What is allowed: its audit entry joins the next commit. */
async function plain(hub: HubHere, settings: Settings): Promise<Row[]> {
  const node = await hub.join('box')
  const box = await hub.host('box')
  await using ws = await startWsEcho()
  await using nats = await startNats()
  const peers = [ws, ...(nats ? [nats] : [])]
  const ask = () => box.call(invokeCommand, { command })
  const alone = { what: `\`${command}\`, one at a time`, ask, note, answering: [node] }
  return [
    ...(await oneAtATime(alone, peers, settings)),
    ...(await pipelined({ what: `\`${command}\``, ask }, peers, { inFlight: 64 }, settings)),
    ...(nats ? [] : [natsMissing]),
  ]
}

/** The same on a host that has people asked. They have said yes for the session, so that none is waited for. */
async function sensitive(hub: HubHere, settings: Settings): Promise<Row[]> {
  const node = await hub.join('careful', { asks: command })
  const careful = await hub.host('careful')
  const ask = () => careful.call(invokeCommand, { command, session: 'bench' })
  const first = ask()
  await approveForSession(hub)
  await first
  await using home = await makeHome()
  await using ws = await startWsEcho(join(home.path, 'messages'))
  const what = `\`${command}\`, sensitive, one at a time`
  const flushed =
    'approved for its session; the node has its audit entry on disk before it runs, and the peer has the message there'
  return await oneAtATime({ what, ask, note: flushed, answering: [node], calls: 1000 }, [ws], settings)
}

async function approveForSession({ hub }: HubHere): Promise<void> {
  const { id: approval, digest } = await until('the host asks', async () => {
    const { approvals } = await hub.call(listApprovals, {})
    return approvals[0]
  })
  await hub.call(approveApproval, { approval, digest, session: true })
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
