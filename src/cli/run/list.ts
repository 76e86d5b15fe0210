// `muster run list`.

import { failure } from '../../contract/errors.ts'
import { listFleetRuns } from '../../contract/fleet.ts'
import { type Run, RunState, runStates } from '../../contract/run.ts'
import { RunKind } from '../../contract/run-kind.ts'
import { check, hostRef, runId } from '../arguments.ts'
import { showAgo, showDuration } from '../duration.ts'
import { connect } from '../hub-connection.ts'
import type { Action } from '../perform.ts'
import { paintState } from '../state-color.ts'
import { type Column, showTable } from '../table.ts'

interface ListOptions {
  readonly host?: string
  readonly state?: string[]
  readonly kind?: string
  readonly parent?: string
  readonly limit?: number
  readonly before?: string
}

const Before = listFleetRuns.input.shape.before.unwrap()
const beforeHint = 'The page before names it on standard error, and as "next" in its JSON.'

export const listRuns: Action<ListOptions, []> = async (terminal, options) => {
  const wanted = {
    ...(options.host !== undefined && { host: hostRef(options.host) }),
    ...(options.state && { states: options.state.map(stateNamed) }),
    ...(options.kind !== undefined && { kind: RunKind.parse(options.kind) }),
    ...(options.parent !== undefined && { parent: runId(options.parent) }),
    ...(options.limit !== undefined && { limit: options.limit }),
    ...(options.before !== undefined && { before: check(Before, options.before, 'The page', beforeHint) }),
  }
  using client = connect(terminal)
  const found = await client.hub.call(listFleetRuns, wanted)
  for (const { host, reason } of found.unanswered)
    terminal.say(`${host} did not answer for its runs: ${reason.replace(/\.$/, '')}.`)
  if (found.next !== null && !options.json) terminal.say(`There are older ones: --before ${found.next}`)
  return { json: found, text: found.runs.length === 0 ? 'No runs.' : showTable(columns, found.runs, terminal) }
}

const columns: readonly Column<Run>[] = [
  { title: 'RUN', cell: (run) => run.id },
  { title: 'HOST', cell: (run) => run.host },
  { title: 'STATE', cell: showState, paint: (text, run) => paintState(run.state, text) },
  { title: 'STARTED', cell: (run) => showAgo(run.startedAt ?? run.createdAt) },
  { title: 'TOOK', cell: tookOf },
  { title: 'WHAT', cell: (run) => run.title },
]

export function showState({ state, exit, unreachableSince }: Run): string {
  const how = state === 'failed' && exit ? ` (${exit.signal ?? exit.code ?? 'exit unknown'})` : ''
  return `${state}${how}${unreachableSince === null ? '' : ' (unreachable)'}`
}

export function tookOf({ startedAt, endedAt }: Pick<Run, 'startedAt' | 'endedAt'>, now = Date.now()): string {
  return startedAt === null
    ? '-'
    : showDuration(Math.max(0, (endedAt === null ? now : Date.parse(endedAt)) - Date.parse(startedAt)))
}

function stateNamed(text: string): RunState {
  const state = RunState.safeParse(text)
  if (state.success) return state.data
  throw failure('cli.usage', {
    problem: 'There is no such state of a run.',
    hint: `The states are ${Object.keys(runStates).join(', ')}.`,
  })
}
