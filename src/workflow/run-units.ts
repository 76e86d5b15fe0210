// Runs the units of one step, so many at a time. A unit goes: event started, submit, wait, event ended. Cancelling and failing
// both stop new units; units under way are waited for, after being asked to end where the workflow is cancelled.

import { asMusterError, failure, hasCode } from '../contract/errors.ts'
import type { Run } from '../contract/run.ts'
import type { PastStep, UnitEnd } from './history.ts'
import { limits } from './limits.ts'
import type { PlannedStep } from './plan.ts'
import { reportUnitEnd, reportUnitStart, tell } from './report.ts'
import { cutText, type Unit } from './unit.ts'
import { isLetGo, type WorkflowWork } from './work.ts'

const defaultCancelWaitMs = 60_000

/** How each unit ended, in their order; undefined for those that were never started. Rejects when the engine cannot go on. */
export async function runUnits(
  work: WorkflowWork,
  step: PlannedStep,
  units: readonly Unit[],
  past: PastStep,
): Promise<(UnitEnd | undefined)[]> {
  const ends = units.map((unit) => past.ended.get(unit.index))
  // When one worker cannot go on (an event cannot be stored), the others end what they started.
  const halted = new AbortController()
  const stop = AbortSignal.any([work.signal, halted.signal])
  const isFailure = (end: UnitEnd | undefined) => !step.continueOnError && end !== undefined && end.state !== 'succeeded'
  let hasFailed = ends.some(isFailure)
  const underWay = units.filter((unit) => !ends[unit.index] && past.started.has(unit.index))
  const fresh = units.filter((unit) => !ends[unit.index] && !past.started.has(unit.index))
  const next = () => underWay.shift() ?? (stop.aborted || hasFailed ? undefined : fresh.shift())

  const carry = async () => {
    for (let unit = next(); unit; unit = next()) {
      const end = await runUnit({ ...work, signal: stop }, step, unit, past.started.has(unit.index))
      ends[unit.index] = end
      hasFailed ||= isFailure(end)
    }
  }
  const workers = Array.from({ length: Math.min(parallelism(step, units), units.length) }, async () => {
    try {
      await carry()
    } catch (thrown) {
      halted.abort(thrown)
      throw thrown
    }
  })
  const broken = (await Promise.allSettled(workers)).find((settled) => settled.status === 'rejected')
  if (broken) throw broken.reason
  return ends
}

function parallelism(step: PlannedStep, units: readonly Unit[]): number {
  if (step.maxParallel !== undefined) return step.maxParallel
  return step.distribute ? 2 * new Set(units.map((unit) => unit.host)).size : 4
}

async function runUnit(work: WorkflowWork, step: PlannedStep, unit: Unit, resumed: boolean): Promise<UnitEnd> {
  const place = { step: step.id, index: unit.index, item: unit.itemText, host: unit.host, run: unit.run }
  if (!resumed) {
    await work.emit({ type: 'unit.started', ...place })
    await tell(work, reportUnitStart(step, unit))
  }
  const startedAt = performance.now()
  const outcome = await carryOut(work, step, unit, resumed)
  const kept = cutText(outcome.stdout, limits.stdoutBytes)
  const cut = kept.cut || (outcome.run?.output.stdout ?? 0) > limits.stdoutBytes
  const end: UnitEnd = {
    ...place,
    state: outcome.state,
    exit: outcome.run?.exit ?? null,
    error: outcome.error,
    durationMs: durationOf(outcome.run) ?? Math.round(performance.now() - startedAt),
    stdout: kept.text,
    ...(cut && { stdoutCut: true }),
  }
  await work.emit({ type: 'unit.ended', ...end })
  await tell(work, reportUnitEnd(step, end))
  return end
}

interface UnitOutcome {
  readonly state: UnitEnd['state']
  readonly error: UnitEnd['error']
  readonly run?: Run
  readonly stdout: string
}

/** The unit's whole life at the dispatcher. Whatever goes wrong there is the unit's failure, not the workflow's. */
async function carryOut(work: WorkflowWork, step: PlannedStep, unit: Unit, resumed: boolean): Promise<UnitOutcome> {
  const { dispatcher, signal } = work
  // Aborted when the wait is pointless: this process goes away, or a cancelled unit does not end.
  const giveUp = new AbortController()
  let cancelTimer: NodeJS.Timeout | undefined
  let submitted = false
  const cancel = () => {
    if (isLetGo(signal)) return giveUp.abort(signal.reason)
    const waitMs = work.cancelWaitMs ?? defaultCancelWaitMs
    cancelTimer = setTimeout(
      () => giveUp.abort(failure('call.deadline', { operation: `cancelling ${unit.run}`, ms: waitMs })),
      waitMs,
    )
    dispatcher.cancel(unit).catch((thrown) => {
      // Told before the crash that it would start, and never submitted: there is nothing to wait for. Anything else
      // (it has ended, its host is away for the moment) shows in `finished`, or the timer ends the wait.
      if (!submitted && hasCode(thrown, 'run.unknown')) giveUp.abort(thrown)
    })
  }
  try {
    const parent: NonNullable<Run['parent']> = {
      run: work.run,
      step: step.id,
      ...(step.forEach !== undefined && { index: unit.index }),
    }
    const spec = unit.spec()
    // Resumed and cancelled at once: not submitted again, only asked to end.
    submitted = !(resumed && signal.aborted)
    if (submitted) await dispatcher.submit({ run: unit.run, host: unit.host, spec, parent })
    if (signal.aborted) cancel()
    else signal.addEventListener('abort', cancel, { once: true })
    const { run, stdout } = await dispatcher.finished({ run: unit.run, host: unit.host }, giveUp.signal)
    return { state: run.state, error: run.error, run, stdout }
  } catch (thrown) {
    if (isLetGo(signal)) throw signal.reason
    if (!giveUp.signal.aborted) return { state: 'failed', error: asMusterError(thrown).toValue(), stdout: '' }
    return { state: 'cancelled', error: hasCode(thrown, 'run.unknown') ? null : asMusterError(thrown).toValue(), stdout: '' }
  } finally {
    clearTimeout(cancelTimer)
    signal.removeEventListener('abort', cancel)
  }
}

function durationOf(run: Run | undefined): number | undefined {
  if (!run?.startedAt || !run.endedAt) return undefined
  return Math.max(0, Date.parse(run.endedAt) - Date.parse(run.startedAt))
}
