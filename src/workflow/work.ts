// What executeWorkflow is given and answers: everything that it needs from outside, so that it knows no store, host or process.

import { type ErrorValue, hasCode } from '../contract/errors.ts'
import type { EventBody, RunEvent } from '../contract/event.ts'
import type { OutputStream } from '../contract/output.ts'
import type { Dispatcher } from './dispatcher.ts'
import type { Plan } from './plan.ts'

export interface WorkflowWork {
  readonly plan: Plan
  /** As resolveInputs answers them. */
  readonly inputs: Readonly<Record<string, unknown>>
  readonly run: string
  /** Where steps run that name no host. */
  readonly defaultHost: string
  readonly cwd?: string | undefined
  /** The run's events so far; others than those of steps and units are passed over. */
  readonly history: readonly RunEvent[]
  readonly dispatcher: Dispatcher
  /** Resolves once the event is durable. */
  emit(body: EventBody): Promise<void>
  /** A few lines for people: steps and units as they start and end. */
  write(stream: OutputStream, text: string): Promise<void>
  /**
   * Aborting it cancels the live units and ends the workflow as `cancelled`, or as `timed_out` where the reason is
   * `run.timed_out`. With the reason `host.stopped` it only lets go: units run on, no event is written, and executeWorkflow
   * rejects with the reason.
   */
  readonly signal: AbortSignal
  /** How long a cancelled unit may take to end before it is given up; default 60 s. */
  readonly cancelWaitMs?: number
}

export interface WorkflowResult {
  readonly state: 'succeeded' | 'failed' | 'cancelled' | 'timed_out'
  readonly error?: ErrorValue
}

/** The process that carries the workflow is going away; another one will go on with it. */
export function isLetGo(signal: AbortSignal): boolean {
  return signal.aborted && hasCode(signal.reason, 'host.stopped')
}
