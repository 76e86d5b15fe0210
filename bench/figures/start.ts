// From the submission over HTTP to the command's own first act on a tunnel host: the command tells the time, by the same clock.
// Of an installed package: in a checkout processes carry the compiler of their sources, and so take longer to make others.

import { readOutput } from '../../src/contract/output.ts'
import { nowMs, setClock } from '../clock.ts'
import type { Figure, Row, Settings, Value } from '../figure.ts'
import { inTurns, medianOf, percentile } from '../measure.ts'
import { type Muster, startMuster } from '../muster.ts'
import { makePackageCopy } from '../package-copy.ts'
import { type Ssh, sshAnewName, sshName, startSsh } from '../peers/ssh.ts'

/** Prints the nanoseconds since 1970 and ends. */
const tellTime = ['date', '+%s%N']

export const figure: Figure = {
  name: 'start',
  title: 'Start: submitted over HTTP → the process runs on a tunnel host',
  async measure(settings) {
    await using installed = await makePackageCopy()
    await using muster = await startMuster({ bin: installed.command })
    await muster.join('box')
    await muster.warm('box')
    await using ssh = await startSsh()
    const rows: Row[] = []
    for (const atOnce of [1, 10, 100]) rows.push(...(await starts(muster, ssh, atOnce, settings)))
    rows.push(await firstStart(muster, ssh, settings))
    if (!ssh) rows.push({ what: `beside ${sshName}`, skipped: 'openssh-server is not installed' })
    return rows
  },
}

async function starts(muster: Muster, ssh: Ssh | undefined, atOnce: number, { rounds, quick, say }: Settings): Promise<Row[]> {
  const times = quick ? 50 : 300
  // A tenth of a second each: as many as ours would take ten minutes.
  const sshTimes = quick ? 20 : 50
  const measured = await inTurns(
    rounds,
    {
      ours: () => many(() => startDelay(muster, 'box'), times, atOnce),
      ...(ssh && { ssh: () => many(() => sshDelay(ssh.run), sshTimes, atOnce) }),
    },
    { warmUps: 1 },
  )
  const value = (delays: number[][], percent: number): Value =>
    medianOf(
      delays.map((one) => percentile(one, percent)),
      'ms',
    )
  return [50, 99].map((percent) => {
    const what = `submit → started, ${atOnce === 1 ? 'one at a time' : `${atOnce} at once`}, p${percent}`
    const ours = value(measured.ours, percent)
    const mostMs = percent === 50 ? 10 : 25
    say(`${what}: ${ours.median.toFixed(1)} ms`)
    return {
      what,
      ours,
      ...(measured.ssh && { peer: { name: sshName, ...value(measured.ssh, percent) } }),
      ...(atOnce === 1 && { goal: { words: `≤ ${mostMs} ms`, met: ours.median <= mostMs } }),
    }
  })
}

/** A host that has run nothing yet, or not for long, has no keeper: the first start brings it up. */
async function firstStart(muster: Muster, ssh: Ssh | undefined, { rounds }: Settings): Promise<Row> {
  let hosts = 0
  const measured = await inTurns(rounds, {
    async ours() {
      const host = `idle-${++hosts}`
      await muster.join(host)
      return startDelay(muster, host)
    },
    ...(ssh && { ssh: () => sshDelay(ssh.runAnew) }),
  })
  return {
    what: 'submit → started, the first on a host',
    ours: medianOf(measured.ours, 'ms'),
    ...(measured.ssh && { peer: { name: sshAnewName, ...medianOf(measured.ssh, 'ms') } }),
  }
}

/** What each took, with so many always under way. */
async function many(once: () => Promise<number>, times: number, atOnce: number): Promise<number[]> {
  setClock()
  const delays: number[] = []
  let left = times
  const goOn = async () => {
    while (left > 0) {
      left -= 1
      delays.push(await once())
    }
  }
  await Promise.all(Array.from({ length: atOnce }, goOn))
  return delays
}

async function startDelay({ client, submit }: Muster, host: string): Promise<number> {
  const submittedAtMs = nowMs()
  const { id } = await submit(host, tellTime)
  const output = await Array.fromAsync(client.host(host).bytes(readOutput, { run: id, follow: true }))
  return Number(Buffer.concat(output)) / 1e6 - submittedAtMs
}

async function sshDelay(run: Ssh['run']): Promise<number> {
  const startedAtMs = nowMs()
  return Number(await run(tellTime.join(' '))) / 1e6 - startedAtMs
}
