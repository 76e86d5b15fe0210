// What templates and conditions see of the steps before: their states, outputs and results.

import type { UnitEnd } from './history.ts'
import { limits } from './limits.ts'
import type { PlannedStep } from './plan.ts'
import type { Unit } from './unit.ts'

/** A step's values, as `steps.ID` gives them. */
export type StepValues = Readonly<Record<string, unknown>>

/** Ends in the order of the units; a unit that never ran is left out. */
export function stepValues(step: PlannedStep, units: readonly Unit[], ends: readonly (UnitEnd | undefined)[]): StepValues {
  const results = units.flatMap((unit, i) => {
    const end = ends[i]
    return end ? [resultOf(unit.item, end)] : []
  })
  const failed = results.filter((result) => result.state !== 'succeeded')
  if (step.forEach !== undefined) return { state: 'succeeded', results, failed }
  const [only] = ends
  return withOutput({ state: 'succeeded', exit_code: only?.exit?.code ?? null, results, failed }, only)
}

export function skippedValues(step: PlannedStep): StepValues {
  const values = { state: 'skipped', results: [], failed: [] }
  return step.forEach !== undefined ? values : { ...values, stdout: '', exit_code: null }
}

function resultOf(item: unknown, end: UnitEnd) {
  return withOutput({ item: item ?? null, host: end.host, state: end.state, exit_code: end.exit?.code ?? null }, end)
}

/** Output that was cut must not pass for the whole of it: using it fails, and says so. */
function withOutput<T extends object>(values: T, end: UnitEnd | undefined): T & { readonly stdout: string } {
  if (!end?.stdoutCut) return { ...values, stdout: (end?.stdout ?? '').replace(/\r?\n$/, '') }
  return Object.defineProperty({ ...values }, 'stdout', {
    enumerable: true,
    get() {
      throw new Error(
        `the output of ${end.run} is longer than the ${limits.stdoutBytes / 1024} KiB that a workflow keeps; ` +
          'write it to a file, or print less',
      )
    },
  }) as T & { readonly stdout: string }
}
