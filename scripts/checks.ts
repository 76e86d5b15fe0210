// The checks that need no running program: types, lint and format, import direction, unused code.
// `npm run check` runs them; so does `npm test`.

import { spawnSync } from 'node:child_process'
import { root } from './files.ts'

const checks = [
  { name: 'types', command: ['tsc'] },
  { name: 'lint', command: ['biome', 'check', '--error-on-warnings', '--diagnostic-level=warn', '.'] },
  { name: 'imports', command: ['node', 'scripts/check-imports.ts'] },
  { name: 'unused', command: ['knip'] },
]

/** Runs every check, shows what the failed ones said, and counts. */
export function runChecks(): { passed: number; failed: number } {
  const failed = checks.filter(({ name, command: [program = '', ...args] }) => {
    const startedAt = performance.now()
    const done = spawnSync(program, args, { cwd: root, encoding: 'utf8' })
    const seconds = ((performance.now() - startedAt) / 1000).toFixed(1)
    console.log(`${done.status === 0 ? 'ok    ' : 'FAILED'} ${name} (${seconds} s)`)
    if (done.status !== 0) process.stdout.write(`${done.error?.message ?? done.stdout + done.stderr}\n`)
    return done.status !== 0
  }).length
  return { passed: checks.length - failed, failed }
}
