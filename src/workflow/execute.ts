// Runs a checked plan, step by step. What happened is told by events before anything depends on it, so an execution that is
// given the events of an earlier one goes on where that ended: no unit that has ended runs again. It knows no store and no host.

import { asMusterError, failure, hasCode, type MusterError } from '../contract/errors.ts'
import { type PastStep, readHistory, type StepEnd, type UnitEnd } from './history.ts'
import type { PlannedStep } from './plan.ts'
import { announce, plural, reportStep, tell } from './report.ts'
import { runUnits } from './run-units.ts'
import { renderProblem, type Scope } from './template.ts'
import { StepProblem, type Unit, unitsOf } from './unit.ts'
import { type StepValues, skippedValues, stepValues } from './values.ts'
import { isLetGo, type WorkflowResult, type WorkflowWork } from './work.ts'

const problemFix = 'Mend the workflow: docs/workflows.md, "Values and expressions" and "Limits".'

/** Rejects only with `host.stopped`; any other failure, also of the engine itself, is the result. */
export async function executeWorkflow(work: WorkflowWork): Promise<WorkflowResult> {
  try {
    return await runSteps(work)
  } catch (thrown) {
    if (isLetGo(work.signal)) throw work.signal.reason
    return { state: 'failed', error: asMusterError(thrown).toValue() }
  }
}

async function runSteps(work: WorkflowWork): Promise<WorkflowResult> {
  const past = readHistory(work.history)
  const steps: Record<string, StepValues> = {}
  const scope: Scope = { inputs: work.inputs, steps, run: { id: work.run } }
  for (const step of work.plan.steps) {
    if (isLetGo(work.signal)) throw work.signal.reason
    const before = past(step.id)
    // A step that is under way when the workflow is cancelled still has its live units to end.
    if (work.signal.aborted && before.units === undefined) return cancelled(work)
    const { end, values, error } = await runStep(work, step, scope, before)
    if (end.state === 'cancelled') return cancelled(work)
    if (error) return { state: 'failed', error: error.toValue() }
    steps[step.id] = values
  }
  return { state: 'succeeded' }
}

interface StepOutcome {
  readonly end: StepEnd
  readonly values: StepValues
  readonly error?: MusterError
}

async function runStep(work: WorkflowWork, step: PlannedStep, scope: Scope, past: PastStep): Promise<StepOutcome> {
  const endWith = async (end: StepEnd, outcome: Omit<StepOutcome, 'end'>): Promise<StepOutcome> => {
    if (!past.end) {
      await work.emit({ type: 'step.ended', step: step.id, ...end })
      await tell(work, reportStep(step, end))
    }
    return { end, ...outcome }
  }
  try {
    const skipped = past.end ? past.end.state === 'skipped' : past.units === undefined && step.when && !decide(step, scope)
    if (skipped) return await endWith({ state: 'skipped', reason: 'when is false' }, { values: skippedValues(step) })

    const units = unitsOf(step, scope, work)
    await start(work, step, units, past)
    const ends = past.end ? units.map((unit) => past.ended.get(unit.index)) : await runUnits(work, step, units, past)

    const values = stepValues(step, units, ends)
    if (past.end?.state === 'cancelled' || (!past.end && wasCancelled(work, ends)))
      return await endWith({ state: 'cancelled' }, { values })
    const failed = step.continueOnError ? undefined : firstFailed(ends)
    if (!failed) return await endWith({ state: 'succeeded' }, { values })
    const reason = reasonOf(step, ends, failed)
    const error = failure('workflow.step_failed', { step: step.id, reason, fix: fixOf(failed) })
    return await endWith({ state: 'failed', reason }, { values, error })
  } catch (thrown) {
    if (!(thrown instanceof StepProblem)) throw thrown
    const error = failure('workflow.step_failed', { step: step.id, reason: thrown.message, fix: problemFix })
    return await endWith({ state: 'failed', reason: thrown.message }, { values: {}, error })
  }
}

function decide(step: PlannedStep, scope: Scope): boolean {
  try {
    return step.when?.holds(scope) ?? true
  } catch (thrown) {
    throw new StepProblem(`when cannot be evaluated: ${renderProblem(thrown).split('\n')[0]}`)
  }
}

async function start(work: WorkflowWork, step: PlannedStep, units: readonly Unit[], past: PastStep): Promise<void> {
  if (past.units === undefined) {
    await work.emit({ type: 'step.started', step: step.id, units: units.length })
    await tell(work, announce(step, units))
  } else if (past.units !== units.length) {
    // Would run other work under the ids of the earlier units.
    throw failure('internal', { problem: `step ${step.id} began with ${plural(past.units, 'unit')} and now has ${units.length}` })
  }
}

function wasCancelled({ signal }: WorkflowWork, ends: readonly (UnitEnd | undefined)[]): boolean {
  return signal.aborted && ends.some((end) => end === undefined || end.state === 'cancelled')
}

function firstFailed(ends: readonly (UnitEnd | undefined)[]): UnitEnd | undefined {
  return ends.find((end) => end !== undefined && end.state !== 'succeeded')
}

/** What never ran has no output to read, and an error that says what to do. */
function fixOf({ error, exit, run }: UnitEnd): string {
  return error && !exit ? error.hint : `Read its output with \`muster run logs ${run}\`.`
}

function reasonOf(step: PlannedStep, ends: readonly (UnitEnd | undefined)[], first: UnitEnd): string {
  const how = first.error?.message.replace(/\.$/, '') ?? howItEnded(first)
  if (step.forEach === undefined) return `on ${first.host}, ${how}`
  const failed = ends.filter((end) => end !== undefined && end.state !== 'succeeded').length
  return `${failed} of ${plural(ends.length, 'unit')} failed, the first of them unit ${first.index + 1} on ${first.host}: ${how}`
}

function howItEnded({ exit, state }: UnitEnd): string {
  if (exit?.signal) return `it was ended by ${exit.signal}`
  return typeof exit?.code === 'number' && state === 'failed' ? `it exited with ${exit.code}` : `it ${state.replace('_', ' ')}`
}

function cancelled({ signal }: WorkflowWork): WorkflowResult {
  const reason = asMusterError(signal.reason)
  return hasCode(reason, 'run.timed_out') ? { state: 'timed_out', error: reason.toValue() } : { state: 'cancelled' }
}
