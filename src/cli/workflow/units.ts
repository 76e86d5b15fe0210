// What a workflow's events say of its units, as rows in the order of their start. `workflow run` and `run watch` show it.

import type { RunEvent } from '../../contract/event.ts'
import type { Run, RunState } from '../../contract/run.ts'
import { showDuration } from '../duration.ts'
import { paintState } from '../state-color.ts'
import { type Column, showTable } from '../table.ts'
import type { Terminal } from '../terminal.ts'

export interface UnitRow {
  /** `count[3]`, or the step alone where it has one unit without an item. */
  readonly unit: string
  readonly step: string
  readonly index: number | null
  readonly item: string
  readonly host: string
  readonly run: string | null
  readonly state: RunState | 'skipped'
  readonly startedAt: string
  readonly durationMs: number | null
  readonly exit: Run['exit']
  readonly error: Run['error']
}

type UnitEvent = Extract<RunEvent, { type: 'unit.started' | 'unit.ended' }>

export interface Units {
  apply(event: RunEvent): void
  rows(): UnitRow[]
}

export function createUnits(): Units {
  const rows = new Map<string, UnitRow>()
  const fannedOut = new Set<string>()
  const base = (event: UnitEvent) => ({
    unit: fannedOut.has(event.step) || event.item !== '' ? `${event.step}[${event.index}]` : event.step,
    step: event.step,
    index: event.index,
    item: event.item,
    host: event.host,
    run: event.run,
  })
  return {
    apply(event) {
      if (event.type === 'step.started' && event.units > 1) fannedOut.add(event.step)
      // A hub that takes up a workflow again tells its units' starts again.
      if (event.type === 'unit.started' && !rows.has(event.run)) {
        rows.set(event.run, { ...base(event), state: 'running', startedAt: event.at, durationMs: null, exit: null, error: null })
      }
      if (event.type === 'unit.ended') {
        const startedAt = rows.get(event.run)?.startedAt ?? event.at
        rows.set(event.run, {
          ...base(event),
          startedAt,
          state: event.state,
          durationMs: event.durationMs,
          exit: event.exit,
          error: event.error,
        })
      }
      if (event.type === 'step.ended' && event.state === 'skipped') {
        rows.set(`skipped ${event.step}`, {
          unit: event.step,
          step: event.step,
          index: null,
          item: '',
          host: '-',
          run: null,
          state: 'skipped',
          startedAt: event.at,
          durationMs: null,
          exit: null,
          error: null,
        })
      }
    },
    rows: () => [...rows.values()],
  }
}

/** The result table: unit × host × state × duration. */
export function showUnits(
  rows: readonly UnitRow[],
  terminal: Pick<Terminal, 'screen' | 'columns' | 'color'>,
  now = Date.now(),
): string {
  return showTable(columnsAt(now), rows, terminal)
}

function columnsAt(now: number): readonly Column<UnitRow>[] {
  const took = (row: UnitRow) => row.durationMs ?? (row.state === 'running' ? Math.max(0, now - Date.parse(row.startedAt)) : null)
  return [
    { title: 'UNIT', cell: (row) => row.unit },
    { title: 'HOST', cell: (row) => row.host },
    { title: 'STATE', cell: showUnitState, paint: (text, { state }) => (state === 'skipped' ? text : paintState(state, text)) },
    {
      title: 'DURATION',
      cell: (row) => {
        const ms = took(row)
        return ms === null ? '-' : showDuration(ms)
      },
    },
    { title: 'ITEM', cell: (row) => row.item },
  ]
}

function showUnitState({ state, exit, error }: UnitRow): string {
  if (state !== 'failed') return state
  if (exit && (exit.signal !== null || exit.code !== null)) return `failed (${exit.signal ?? `exit ${exit.code}`})`
  return error ? `failed (${error.code})` : 'failed'
}
