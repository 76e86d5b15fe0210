// What a workflow's events say that it has done already. A resumed workflow reads it instead of doing things again.

import type { RunEvent } from '../contract/event.ts'

type EventOf<T extends RunEvent['type']> = Extract<RunEvent, { type: T }>
/** How a unit ended, as its event keeps it. */
export type UnitEnd = Omit<EventOf<'unit.ended'>, 'seq' | 'at' | 'type'>
export type StepEnd = Pick<EventOf<'step.ended'>, 'state' | 'reason'>

export interface PastStep {
  /** How many units it was started with; undefined until it was. */
  readonly units?: number
  readonly started: ReadonlySet<number>
  readonly ended: ReadonlyMap<number, UnitEnd>
  readonly end?: StepEnd
}

type History = (step: string) => PastStep

const untouched: PastStep = { started: new Set(), ended: new Map() }

interface StepRecord extends PastStep {
  units?: number
  readonly started: Set<number>
  readonly ended: Map<number, UnitEnd>
  end?: StepEnd
}

/** Folds the events so far, in order. */
export function readHistory(events: readonly RunEvent[]): History {
  const steps = new Map<string, StepRecord>()
  for (const event of events) {
    if (!('step' in event)) continue
    const step: StepRecord = steps.get(event.step) ?? { started: new Set(), ended: new Map() }
    steps.set(event.step, step)
    switch (event.type) {
      case 'step.started':
        step.units = event.units
        break
      case 'unit.started':
        step.started.add(event.index)
        break
      case 'unit.ended':
        step.ended.set(event.index, unitEnd(event))
        break
      case 'step.ended':
        step.end = { state: event.state, reason: event.reason }
        break
    }
  }
  return (step) => steps.get(step) ?? untouched
}

function unitEnd({ seq: _seq, at: _at, type: _type, ...end }: EventOf<'unit.ended'>): UnitEnd {
  return end
}
