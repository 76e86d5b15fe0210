// Nodes that are only there: what each costs the hub in memory, and how they come back after the hub was killed.

import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from '../../test/resources/free-port.ts'
import { serveHub } from '../../test/resources/muster.ts'
import type { Figure, Row, Settings } from '../figure.ts'
import { type FleetChange, startIdleFleet } from '../idle-fleet.ts'
import { medianOf } from '../measure.ts'
import { type Muster, startMuster } from '../muster.ts'

const mostKiB = 50
const mostBackSeconds = 30
/** Garbage is collected by itself, a while after the last of the work. */
const settleMs = 30_000
const enrolledAtOnce = 16

export const figure: Figure = {
  name: 'idle-nodes',
  title: 'Idle nodes: what each costs the hub, and how they come back',
  async measure(settings) {
    const rows: Row[] = []
    for (const nodes of settings.quick ? [50, 500] : [50, 500, 5000]) rows.push(...(await idle(nodes, settings)))
    return rows
  },
}

async function idle(nodes: number, { say }: Settings): Promise<Row[]> {
  const bind = `127.0.0.1:${await freePort()}`
  await using muster = await startMuster({ bind })
  const emptyKiB = await residentKiB(muster.hub.pid)
  const tokens = await enroll(muster, nodes)
  // Enrolment leaves its garbage with the process that it was asked of.
  await muster.hub.kill()
  await using first = await serveHub(muster.home, { bind })
  await using fleet = await startIdleFleet(first.url, tokens)
  const fullKiB = await residentKiB(first.pid)
  const eachKiB = (fullKiB - emptyKiB) / nodes
  say(`${nodes} nodes: ${emptyKiB} KiB before, ${fullKiB} KiB after: ${eachKiB.toFixed(1)} KiB each`)

  await first.kill()
  fleet.watch()
  const killedAtMs = performance.now()
  await using _second = await serveHub(muster.home, { bind })
  await fleet.reached(nodes, 5 * 60_000)
  const back = comeback(fleet.changes, killedAtMs)
  say(`${nodes} nodes back ${back.seconds.toFixed(1)} s after the kill; ${back.peak}\n${back.curve}`)
  const what = `${nodes} idle nodes`
  const isFull = nodes === 5000
  return [
    {
      what: `${what}, memory at the hub for each`,
      ours: medianOf([eachKiB], 'KiB'),
      ...(isFull && { goal: { words: `≤ ${mostKiB} KiB`, met: eachKiB <= mostKiB } }),
    },
    {
      what: `${what}, from the hub's kill until all are back`,
      ours: medianOf([back.seconds], 's'),
      ...(isFull && { goal: { words: `≤ ${mostBackSeconds} s`, met: back.seconds <= mostBackSeconds } }),
      note: back.peak,
    },
  ]
}

async function enroll(muster: Muster, nodes: number): Promise<string[]> {
  const tokens: string[] = []
  let enrolled = 0
  const enrollNext = async () => {
    while (enrolled < nodes) tokens.push(await muster.enroll(`node-${enrolled++}`))
  }
  await Promise.all(Array.from({ length: enrolledAtOnce }, enrollNext))
  return tokens
}

/** Once it has been quiet for a while. */
async function residentKiB(pid: number): Promise<number> {
  await sleep(settleMs)
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1])
}

/** How they came back: when all were, the most at once, and each second of it. */
function comeback(changes: readonly FleetChange[], fromMs: number): { seconds: number; peak: string; curve: string } {
  const came = changes.filter((change) => change.came)
  const seconds = ((came.at(-1)?.atMs ?? fromMs) - fromMs) / 1000
  const bySecond = Map.groupBy(changes, ({ atMs }) => Math.floor((atMs - fromMs) / 1000))
  const lines = [...bySecond].map(([second, within]) => {
    const joined = within.filter((change) => change.came).length
    return `  ${second} s: ${within.at(-1)?.online} online, ${joined} came, ${within.length - joined} were turned away or cut`
  })
  return {
    seconds,
    peak: `at most ${mostWithin(came, 1000)} came within a second, ${mostWithin(came, 100)} within 100 ms`,
    curve: lines.join('\n'),
  }
}

function mostWithin(changes: readonly FleetChange[], windowMs: number): number {
  const counts = Map.groupBy(changes, ({ atMs }) => Math.floor(atMs / windowMs)).values()
  return Math.max(0, ...[...counts].map((within) => within.length))
}
