// The end of a workflow in words: the result table and one line.

import type { Run } from '../../contract/run.ts'
import { showDuration } from '../duration.ts'
import { printable } from '../printable.ts'
import type { Terminal } from '../terminal.ts'
import { showUnits, type UnitRow } from './units.ts'

export function describeEnd(terminal: Terminal, run: Run, units: readonly UnitRow[]): string {
  const table = units.length === 0 ? 'No units.' : showUnits(units, terminal)
  const took =
    run.endedAt === null ? '' : ` in ${showDuration(Date.parse(run.endedAt) - Date.parse(run.startedAt ?? run.createdAt))}`
  return `${table}\n\n${printable(run.title)}: ${run.state}${took} (${run.id})`
}
