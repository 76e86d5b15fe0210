// Rows as people read them: aligned text for a terminal, Markdown for the documents.

import type { Measured, Row, Value } from './figure.ts'
import type { FigureResult } from './results.ts'

const heading = ['what', 'Muster', 'beside it', 'goal'] as const

/** A figure with its rows and, under them, the notes. */
export function textTable({ title, rows }: Pick<FigureResult, 'title' | 'rows'>): string {
  const lines = [heading, ...rows.map(cells)]
  const widths = heading.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)))
  const body = lines.map((line) =>
    line
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  )
  return [title, ...body.map((line) => `  ${line}`), ...notes(rows).map((note) => `  ${note}`), ''].join('\n')
}

export function markdownTable(rows: readonly Row[]): string {
  const lines = [heading, heading.map(() => '---'), ...rows.map(cells)]
  return lines.map((line) => `| ${line.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`).join('\n')
}

/** What a reader needs to judge the rows, each said once. */
export function notes(rows: readonly Row[]): string[] {
  const noted = rows.filter((row): row is Measured => 'ours' in row && row.note !== undefined)
  return [...Map.groupBy(noted, ({ note }) => note as string)].map(
    ([note, of]) => `${[...new Set(of.map(({ what }) => what))].join('; ')}: ${note}`,
  )
}

function cells(row: Row): [string, string, string, string] {
  if ('skipped' in row) return [row.what, `skipped: ${row.skipped}`, '', '']
  const { what, ours, peer, goal } = row
  return [
    what,
    showValue(ours),
    peer ? `${peer.name} ${showValue(peer)}, ${ratio(ours, peer)}` : '',
    goal ? `${goal.words}: ${goal.met ? 'met' : 'MISSED'}` : '',
  ]
}

/** The median with its smallest and largest round: `23,400/s (21,900–24,100)`. */
function showValue({ median, spread, unit }: Value): string {
  const [least, most] = spread
  const range = least === most ? '' : ` (${showNumber(least)}–${showNumber(most)})`
  return `${showNumber(median)}${unit.startsWith('/') ? '' : ' '}${unit}${range}`
}

/** Ours as a multiple of theirs. */
function ratio(ours: Value, theirs: Value): string {
  if (ours.unit !== theirs.unit) return ''
  return `×${showNumber(ours.median / theirs.median)}`
}

/** Three significant digits: the machine's noise has the rest. */
function showNumber(value: number): string {
  return Number(value.toPrecision(3)).toLocaleString('en')
}
