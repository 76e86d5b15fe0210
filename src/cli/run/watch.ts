// `muster run watch`: a run's state until it has ended. A screen shows it as it stands, drawn over and over; elsewhere each change is a line.

import { exitCode, MusterError } from '../../contract/errors.ts'
import type { RunEvent } from '../../contract/event.ts'
import { applyEvent } from '../../contract/event.ts'
import { findRun } from '../../contract/fleet.ts'
import { isTerminal, type Run } from '../../contract/run.ts'
import { runId } from '../arguments.ts'
import { eachEvent } from '../follow-events.ts'
import { connect } from '../hub-connection.ts'
import { untilInterrupted } from '../leaving.ts'
import type { Action } from '../perform.ts'
import { printable, shorten } from '../printable.ts'
import { tell } from '../report.ts'
import { openScreen } from '../screen.ts'
import { createUnits, showUnits, type Units } from '../workflow/units.ts'
import { showState, tookOf } from './list.ts'

export const watch: Action<unknown, [string]> = async (terminal, options, run) => {
  const id = runId(run)
  using client = connect(terminal)
  const found = await client.hub.call(findRun, { run: id })
  const units = createUnits()
  let now: Run | undefined
  using screen = openScreen(terminal, () => drawing(now ?? found, units))
  const see = async (event: RunEvent) => {
    units.apply(event)
    now = applyEvent(now, { host: found.host, run: id }, event)
    if (!options.json && !terminal.screen) await terminal.out(`${line(event)}\n`)
  }
  const drawn = terminal.screen && !options.json
  if (drawn) screen.start()
  const ended = await untilInterrupted(
    (signal) => eachEvent({ terminal, host: client.host(found.host), run: id, signal }, see),
    () => undefined,
  )
  now = ended
  if (drawn) screen.draw()
  if (ended.error) tell(terminal, new MusterError(ended.error))
  return { json: ended, exit: ended.state === 'succeeded' ? exitCode.ok : exitCode.workFailed }

  function drawing(shown: Run, known: Units): string[] {
    const rows = known.rows()
    const head = `${shown.id} on ${shown.host}: ${showState(shown)}, ${tookOf(shown)}`
    const what = shorten(printable(shown.title), terminal.columns)
    const table = rows.length === 0 ? [] : showUnits(rows, terminal).split('\n')
    const room = isTerminal(shown.state) ? table.length : Math.max(2, terminal.rows - 4)
    // The heading and the newest units: those are the ones that still change.
    const fitting = table.length <= room ? table : [...table.slice(0, 1), ...table.slice(-(room - 1))]
    return [what, printable(head), ...fitting]
  }
}

function line(event: RunEvent): string {
  return printable([event.at, ...wordsOf(event)].join(' '))
}

function wordsOf(event: RunEvent): (string | number)[] {
  switch (event.type) {
    case 'accepted':
      return ['accepted', event.title]
    case 'state':
      return [event.state, ...(event.exit ? [`exit ${event.exit.signal ?? event.exit.code ?? 'unknown'}`] : [])]
    case 'artifact.kept':
      return ['artifact', event.name, 'kept']
    case 'artifact.refused':
      return ['artifact', event.name, `not kept: ${event.reason}`]
    case 'step.started':
      return ['step', event.step, 'started,', event.units, event.units === 1 ? 'unit' : 'units']
    case 'unit.started':
      return [`unit ${event.step}[${event.index}]`, 'started on', event.host]
    case 'unit.ended':
      return [`unit ${event.step}[${event.index}]`, event.state, 'on', event.host]
    case 'step.ended':
      return ['step', event.step, event.state, ...(event.reason ? [`(${event.reason})`] : [])]
  }
}
