// How long a command takes from its start to its exit, beside the least that Node.js itself takes.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { root } from '../../scripts/files.ts'
import type { Figure, Row } from '../figure.ts'
import { inTurns, medianOf } from '../measure.ts'
import { startMuster } from '../muster.ts'
import { makePackageCopy } from '../package-copy.ts'

const helpGoalMs = 90
const listGoalMs = 150
const fleetSizes = [1, 10, 100]
const leastTurns = 20

export const figure: Figure = {
  name: 'cli',
  title: 'Commands, from start to exit',
  async measure({ rounds, quick, say }) {
    const turns = quick ? 5 : Math.max(rounds, leastTurns)
    await using built = await makePackageCopy()
    await using muster = await startMuster()
    const env = { ...process.env, MUSTER_HOME: muster.hub.home }
    const run = (args: readonly string[]) => () => runMs(args, env)
    const copies = { 'as a package': built.command, 'in a checkout': join(root, 'bin/muster.js') }
    const rows: Row[] = []

    for (const [where, command] of Object.entries(copies)) {
      say(`${where}: --help and host list, ${turns} times each`)
      const taken = await inTurns(
        turns,
        { help: run([command, '--help']), list: run([command, 'host', 'list']), node: run(['-e', '0']) },
        { warmUps: 2 },
      )
      const peer = { ...medianOf(taken.node, 'ms'), name: 'node -e 0' }
      const help = medianOf(taken.help, 'ms')
      const list = medianOf(taken.list, 'ms')
      const note = `The median of ${turns} processes each, in turns; the compile cache is warm.`
      rows.push(
        { what: `muster --help, ${where}`, ours: help, peer, goal: within(helpGoalMs, help.median), note },
        { what: `muster host list, ${where}`, ours: list, peer, goal: within(listGoalMs, list.median), note },
      )
    }

    let hosts = 1
    for (const size of fleetSizes) {
      for (; hosts < size; hosts += 1) await muster.enroll(`host-${hosts}`)
      say(`host list with ${size} hosts`)
      const taken = await inTurns(turns, { list: run([built.command, 'host', 'list']) }, { warmUps: 1 })
      const ours = medianOf(taken.list, 'ms')
      rows.push({ what: `muster host list, ${size} hosts`, ours, goal: within(listGoalMs, ours.median) })
    }
    return rows
  },
}

function within(goalMs: number, medianMs: number) {
  return { words: `≤ ${goalMs} ms`, met: medianMs <= goalMs }
}

async function runMs(args: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  const startedAt = performance.now()
  const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'ignore', 'inherit'] })
  const [code] = (await once(child, 'close')) as [number | null]
  if (code !== 0) throw new Error(`${args.join(' ')} exited ${code}`)
  return performance.now() - startedAt
}
