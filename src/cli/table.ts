// Rows as aligned columns. Cells come from anywhere, so they are made printable here; the last column is cut to the screen.

import { printable, shorten } from './printable.ts'
import type { Terminal } from './terminal.ts'

export interface Column<Row> {
  readonly title: string
  readonly cell: (row: Row) => string
  readonly paint?: (text: string, row: Row) => string
}

const gap = '  '

/** The table without its last newline. On a screen the last column is shortened to fit; elsewhere nothing is cut. */
export function showTable<Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  to: Pick<Terminal, 'screen' | 'columns' | 'color'>,
): string {
  const cells = rows.map((row) => columns.map((column) => printable(column.cell(row))))
  const widths = columns.map((column, i) => Math.max(width(column.title), ...cells.map((line) => width(line[i] ?? ''))))
  const room = to.screen ? to.columns - widths.slice(0, -1).reduce((sum, one) => sum + one + gap.length, 0) : Infinity
  const last = columns.length - 1
  const lineOf = (texts: readonly string[], row?: Row) =>
    texts
      .map((text, i) => {
        const cut = i === last && room >= 8 ? shorten(text, room) : text
        const padded = i === last ? cut : cut + ' '.repeat((widths[i] ?? 0) - width(cut))
        return to.color && row !== undefined ? (columns[i]?.paint?.(padded, row) ?? padded) : padded
      })
      .join(gap)
      .trimEnd()
  return [lineOf(columns.map(({ title }) => title)), ...rows.map((row, i) => lineOf(cells[i] ?? [], row))].join('\n')
}

/** One thing as `name: value` lines; what is not known is left out. */
export function showFields(fields: Readonly<Record<string, string | null | undefined>>): string {
  const known = Object.entries(fields).filter((field): field is [string, string] => field[1] !== null && field[1] !== undefined)
  const widest = Math.max(...known.map(([name]) => name.length))
  return known.map(([name, value]) => `${`${name}:`.padEnd(widest + 2)}${printable(value)}`).join('\n')
}

function width(text: string): number {
  return [...text].length
}
