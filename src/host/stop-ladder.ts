// The stop ladder: ask, SIGTERM to the group, SIGKILL to the group. Used for runs and procs alike.
// Only the end that the keeper (or a watched pid) reports ends a climb; the ladder itself never claims that something has ended.
//
//     ask ─wait─▶ SIGTERM ─wait─▶ SIGKILL        each step is skipped once the process has ended

import { pause } from '../contract/pause.ts'

export type StopStep = 'ask' | 'SIGTERM' | 'SIGKILL'

export interface Rung {
  readonly step: StopStep
  /** How long the process has before the next rung. */
  readonly waitMs: number
}

/** The rungs for a process; a command has no channel to be asked over. The grace is shared out: half to ask, half to SIGTERM. */
export function rungsFor({ canAsk, graceMs }: { canAsk: boolean; graceMs: number }): readonly Rung[] {
  const kill: Rung = { step: 'SIGKILL', waitMs: 0 }
  if (graceMs === 0) return [kill]
  if (!canAsk) return [{ step: 'SIGTERM', waitMs: graceMs }, kill]
  return [{ step: 'ask', waitMs: Math.ceil(graceMs / 2) }, { step: 'SIGTERM', waitMs: Math.floor(graceMs / 2) }, kill]
}

export interface Climb {
  readonly rungs: readonly Rung[]
  /** Takes one step. A step that fails (a channel that has just closed) is the next rung's business. */
  readonly take: (step: StopStep) => Promise<void>
  /** Told of a step that failed. */
  readonly onFailed: (step: StopStep, error: unknown) => void
  /** Aborted when the process has ended, or when this climb is not needed any more. */
  readonly over: AbortSignal
}

/** Climbs until `over` or until the last rung was taken. */
export async function climb({ rungs, take, onFailed, over }: Climb): Promise<void> {
  for (const { step, waitMs } of rungs) {
    if (over.aborted) return
    // Not awaited: an `ask` that is never answered must not delay SIGTERM.
    take(step).catch((error: unknown) => onFailed(step, error))
    await pause(waitMs, over)
  }
}
