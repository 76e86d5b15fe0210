// `npm run chaos`: every trial of test/chaos/, of which `npm test` makes a share, and at the end what each test has counted. All that is
// random is drawn from MUSTER_SEED, so that a failure can be had again.

import { spawnSync } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { chaosReport } from './chaos-report.ts'
import { root } from './files.ts'

const share = process.env.MUSTER_CHAOS_SHARE ?? '1'
const seed = process.env.MUSTER_SEED ?? String(randomInt(2 ** 31))
const again = `MUSTER_SEED=${seed} MUSTER_CHAOS_SHARE=${share} npm run chaos`

console.log(`Breaking things, with a share of ${share} of all trials; the same again: ${again}`)
using report = chaosReport()
const env = { ...process.env, ...report.env, MUSTER_CHAOS_SHARE: share, MUSTER_SEED: seed }
const args = ['run', '--project', 'chaos', ...process.argv.slice(2)]
process.exitCode = spawnSync('vitest', args, { cwd: root, env, stdio: 'inherit' }).status ?? 1
console.log(
  `What was counted, with a share of ${share} of all trials and seed ${seed}:\n${report.text()}\nThe same again: ${again}`,
)
