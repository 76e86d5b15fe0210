// `npm run soak`: the tests of test/soak/, long. Each draws what it does from MUSTER_SEED, so that a failure can be had again.

import { spawnSync } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { root } from './files.ts'

const seconds = process.env.MUSTER_SOAK_SECONDS ?? '600'
const seed = process.env.MUSTER_SEED ?? String(randomInt(2 ** 31))

console.log(`Soaking ${seconds} s each; the same again: MUSTER_SEED=${seed} MUSTER_SOAK_SECONDS=${seconds} npm run soak`)
const env = { ...process.env, MUSTER_SOAK_SECONDS: seconds, MUSTER_SEED: seed }
process.exitCode = spawnSync('vitest', ['run', '--project', 'soak'], { cwd: root, env, stdio: 'inherit' }).status ?? 1
