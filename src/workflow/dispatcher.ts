// The port through which a workflow starts its units and learns how they ended. The hub implements it over its queue;
// the tests by a model. The engine knows hosts only as the names that it passes through here.

import type { Run, RunSpecInput } from '../contract/run.ts'

interface UnitAddress {
  readonly run: string
  readonly host: string
}

interface UnitSubmission extends UnitAddress {
  readonly spec: RunSpecInput
  readonly parent: NonNullable<Run['parent']>
}

export interface Dispatcher {
  /**
   * Makes the unit's run exist, durably. The same id with the same spec again changes nothing, whatever the run's state.
   * Rejects (`host.unknown`, `host.offline`, `policy.denied`, …) when the run will not happen; that unit has then failed.
   */
  submit(unit: UnitSubmission): Promise<void>
  /**
   * Resolves once the unit's run is terminal, with the run and its standard output as text (64 KiB of it are enough).
   * Rejects at once with the signal's reason when that aborts; that changes nothing about the run.
   */
  finished(unit: UnitAddress, signal: AbortSignal): Promise<{ run: Run; stdout: string }>
  /** Asks the unit's run to end; resolves when that is durable. `run.unknown`: it never was; `run.ended`: it has. */
  cancel(unit: UnitAddress): Promise<void>
}
