// How a run ends: from what was seen of its process, and from what was asked of it, to the events that say so.
//
// A run that was asked to stop ends as what asked for it (`cancelled`, `timed_out`), however its process ended meanwhile, also
// with code 0: between the request and the end nobody can tell work that was finished from work that was given up.

import type { ErrorValue } from '../contract/errors.ts'
import { failure } from '../contract/errors.ts'
import type { Exit, Run, RunSpec } from '../contract/run.ts'
import type { Happened } from '../store/runs.ts'
import type { ExitRecord } from './keeper/exit-record.ts'

export interface Ending {
  readonly state: 'succeeded' | 'failed' | 'cancelled' | 'timed_out'
  readonly exit?: Exit
  readonly error?: ErrorValue
  readonly pid?: number
  readonly output: { readonly stdout: number; readonly stderr: number }
}

export type StopReason = 'cancel' | 'timeout' | 'shutdown'

/** An exit record as an ending: code 0 succeeded, all else failed, and what never started failed with the reason. */
export function endingOf(run: string, record: ExitRecord, dir: string): Ending {
  const { exit, notStarted, pid, output } = record
  if (notStarted) return { state: 'failed', error: failure('run.spawn_failed', notStarted).toValue(), output }
  const error = mayLackOutput(record) ? failure('run.disk_full', { run, dir }).toValue() : undefined
  return { state: exit.code === 0 ? 'succeeded' : 'failed', exit, output, ...(pid !== null && { pid }), ...(error && { error }) }
}

/** A command writes straight to disk and is told itself when that is full; one that did not care ends with 0. Not one that was silent all the while. */
function mayLackOutput({ diskWasFull, exit, output }: ExitRecord): boolean {
  return diskWasFull && (exit.code !== 0 || output.stdout + output.stderr > 0)
}

/** The ending of a process that is gone and left no record. How it ended is not known, and not made up. */
export function lostEnding(run: string, output: Ending['output']): Ending {
  return { state: 'failed', exit: { code: null, signal: null }, error: failure('run.lost', { run }).toValue(), output }
}

/** The ending as the run's record takes it, after what was asked of the run. */
export function settle(run: string, spec: RunSpec, stopped: StopReason | undefined, ending: Ending): Ending {
  if (stopped === undefined || stopped === 'shutdown') return ending
  const { error: _, ...seen } = ending
  if (stopped === 'cancel') return { ...seen, state: 'cancelled' }
  return { ...seen, state: 'timed_out', error: failure('run.timed_out', { run, ms: spec.timeoutMs }).toValue() }
}

/** When a process really began and ended, which may be long before a reopened host hears of it. */
export interface Times {
  readonly startedAt: string
  readonly endedAt: string
}

/** The events that take a run from where it is to its ending. What ran was `running`, even if the host was away all the while. */
export function endingEvents(run: Pick<Run, 'state'>, ending: Ending, times?: Times): Happened[] {
  const { state, pid, ...seen } = ending
  const last: Happened = { type: 'state', state, ...seen, ...(times && { at: times.endedAt }) }
  if (pid === undefined) return [last]
  if (run.state !== 'starting') return [{ ...last, pid }]
  return [{ type: 'state', state: 'running', pid, ...(times && { at: times.startedAt }) }, last]
}
