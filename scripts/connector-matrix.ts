// `npm run conformance`: puts every connector to the suite, keeps what came of it (test/connectors/conformance/results/) and writes that
// into docs/connectors.md, between its two markers. No other run of the suite changes either.

import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { connectors } from '../test/connectors/conformance/connectors.ts'
import { type CaseResult, Results } from '../test/connectors/conformance/results.ts'
import { root } from './files.ts'

const opening = '<!-- the matrix, written by scripts/connector-matrix.ts -->'
const closing = '<!-- end of the matrix -->'
const resultsDir = 'test/connectors/conformance/results'

/** What the suite last found, connector by connector, in the order of its table. */
export function readResults(): Results[] {
  return connectors.flatMap(({ kind }) => {
    const file = join(root, resultsDir, `${kind}.json`)
    return existsSync(file) ? [Results.parse(JSON.parse(readFileSync(file, 'utf8')))] : []
  })
}

/** The matrix with its markers, as the document must hold it. */
export function matrixBlock(): string {
  const all = readResults()
  const titles = [...new Set(all.flatMap(({ groups }) => groups.map(({ title }) => title)))]
  const sections = titles.map((title) => {
    const of = all.map(({ groups }) => groups.find((group) => group.title === title)?.cases ?? [])
    const names = [...new Set(of.flatMap((cases) => cases.map(({ name }) => name)))]
    const rows = names.map((name) => [name, ...of.map((cases) => mark(cases.find((one) => one.name === name)))])
    return `### ${title}\n\n${table(['case', ...all.map(({ kind }) => kind)], rows)}`
  })
  const sums = titles.map((title) => [
    title,
    ...all.map(({ groups }) => sum(groups.find((group) => group.title === title)?.cases ?? [])),
  ])
  const totals = ['**all**', ...all.map(({ groups }) => sum(groups.flatMap(({ cases }) => cases)))]
  const summary = table(['cases', ...all.map(({ kind }) => kind)], [...sums, totals])
  return [opening, summary, '## Every case', ...sections, closing].join('\n\n')
}

function mark(found: CaseResult | undefined): string {
  if (!found) return 'not run'
  return found.result === 'passed' ? 'yes' : found.result === 'failed' ? '**no**' : (found.reason ?? 'skipped')
}

/** `11`, or `9 of 11` where some make no sense there. */
function sum(cases: readonly CaseResult[]): string {
  const passed = cases.filter(({ result }) => result === 'passed').length
  return passed === cases.length ? `${passed}` : `${passed} of ${cases.length}`
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
  return [line(head), `|${'---|'.repeat(head.length)}`, ...rows.map(line)].join('\n')
}

if (import.meta.main) {
  const env = { ...process.env, MUSTER_KEEP_RESULTS: 'yes' }
  process.exitCode = spawnSync('vitest', ['run', '--project', 'connectors'], { cwd: root, env, stdio: 'inherit' }).status ?? 1
  const file = join(root, 'docs/connectors.md')
  const [before, rest] = readFileSync(file, 'utf8').split(opening)
  const after = rest?.split(closing)[1]
  if (before === undefined || after === undefined) throw new Error(`${file} has lost its markers: ${opening} and ${closing}`)
  writeFileSync(file, before + matrixBlock() + after)
}
