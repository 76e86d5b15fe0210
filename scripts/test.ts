// `npm test`: brings the system parts, runs the checks and every test, says what was skipped and why, and ends with
// one line, `N passed, N failed`. In CI (CI=true) a skip is a failure: there, what cannot run is not known to work.
// Of the trials of test/chaos/ it makes a share: `npm run chaos` makes all.

import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { chaosReport } from './chaos-report.ts'
import { runChecks } from './checks.ts'
import { root } from './files.ts'
import { installPrograms, missingParts, systemParts } from './system-parts.ts'

interface Counts {
  passed: number
  failed: number
  skipped: number
}

/** The part of vitest's JSON report that is read here. */
interface Report {
  success: boolean
  numPassedTests: number
  numFailedTests: number
  numPendingTests: number
  numTodoTests: number
  testResults: { name: string; status: string; assertionResults: { fullName: string; status: string }[] }[]
}

const chaosShare = process.env.MUSTER_CHAOS_SHARE ?? '0.1'

installPrograms('the tests', systemParts)
const checks = runChecks()
const tests = runTests()
const total = { passed: checks.passed + tests.passed, failed: checks.failed + tests.failed, skipped: tests.skipped }
for (const part of missingParts()) console.log(`Skipped ${part.suite}: it needs ${part.program}, which ${part.reason}.`)
const refusesSkips = Boolean(process.env.CI) && total.skipped > 0
if (refusesSkips) console.log('A skip is a failure here, because CI is set.')
process.exitCode = total.failed > 0 || refusesSkips ? 1 : 0
console.log(`${total.passed} passed, ${total.failed} failed${total.skipped > 0 ? `, ${total.skipped} skipped` : ''}`)

function runTests(): Counts {
  const folder = mkdtempSync(join(tmpdir(), 'muster-test-'))
  try {
    const file = join(folder, 'report.json')
    const args = ['run', '--reporter=default', '--reporter=json', `--outputFile.json=${file}`]
    using chaos = chaosReport()
    const env = { ...process.env, ...chaos.env, MUSTER_CHAOS_SHARE: chaosShare }
    const done = spawnSync('vitest', args, { cwd: root, env, stdio: 'inherit' })
    console.log(
      `What the chaos tests have counted, with a share of ${chaosShare} of all their trials (npm run chaos):\n${chaos.text()}`,
    )
    return count(readReport(file), done.status === 0)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Undefined when vitest ended before it could write one. */
function readReport(file: string): Report | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Report
  } catch (error) {
    console.log(`vitest left no report: ${(error as Error).message}`)
    return undefined
  }
}

function count(report: Report | undefined, endedWell: boolean): Counts {
  if (!report) return { passed: 0, failed: 1, skipped: 0 }
  for (const { name, assertionResults } of report.testResults) {
    for (const { fullName, status } of assertionResults)
      if (isSkip(status)) console.log(`Skipped ${relative(root, name)}: ${fullName}`)
  }
  // A file that could not even be loaded has no failed test of its own.
  const brokenFiles = report.testResults.filter((file) => {
    return file.status === 'failed' && !file.assertionResults.some((one) => one.status === 'failed')
  }).length
  const failed = report.numFailedTests + brokenFiles
  return {
    passed: report.numPassedTests,
    // vitest also fails for an error that no test owns, such as an unhandled rejection.
    failed: failed === 0 && !endedWell ? 1 : failed,
    skipped: report.numPendingTests + report.numTodoTests,
  }
}

function isSkip(status: string): boolean {
  return status !== 'passed' && status !== 'failed'
}
