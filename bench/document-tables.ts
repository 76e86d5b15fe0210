// Writes what was measured into the documents, between their markers: the promises into README.md, everything into
// docs/benchmarks.md. `node bench/document-tables.ts`, or by itself with `npm run bench -- --save`.

import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from '../scripts/files.ts'
import type { Row } from './figure.ts'
import { readResults } from './results.ts'
import { markdownTable, notes } from './table.ts'

const opening = '<!-- the figures, written by bench/document-tables.ts -->'
const closing = '<!-- end of the figures -->'

/** The block of each document with its markers, as the document must hold it. */
export function documentTables(): Record<'README.md' | 'docs/benchmarks.md', string> {
  const { machine, figures } = readResults()
  const where = `${machine.cores} × ${machine.cpu}, ${machine.memoryGiB} GiB, Node.js ${machine.node}`
  const promised = figures.flatMap(({ rows }) => rows.filter(isPromise))
  const all = figures.flatMap(({ title, takenAt, rounds, rows }) => [
    `### ${title}`,
    '',
    markdownTable(rows),
    '',
    `Taken ${takenAt.slice(0, 10)}, the median of ${rounds} round${rounds === 1 ? '' : 's'} (the smallest–the largest).`,
    ...notes(rows).map((note) => `- ${note}`),
    '',
  ])
  return {
    'README.md': block([`On ${where}:`, '', markdownTable(promised)]),
    'docs/benchmarks.md': block([`On ${where}, ${machine.system}.`, '', ...all]),
  }
}

export function writeTables(): void {
  for (const [name, written] of Object.entries(documentTables())) {
    const file = join(root, name)
    const [before, rest] = readFileSync(file, 'utf8').split(opening)
    const after = rest?.split(closing)[1]
    if (before === undefined || after === undefined) throw new Error(`${file} has lost its markers: ${opening} and ${closing}`)
    writeFileSync(file, before + written + after)
  }
}

function isPromise(row: Row): boolean {
  return 'ours' in row && row.goal !== undefined
}

function block(lines: readonly string[]): string {
  return [opening, '', ...lines, closing].join('\n')
}

if (import.meta.main) writeTables()
