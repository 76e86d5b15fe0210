// The few lines that a workflow writes for people as it goes. Programs read its events instead.

import type { StepEnd, UnitEnd } from './history.ts'
import type { PlannedStep } from './plan.ts'
import type { Unit } from './unit.ts'
import type { WorkflowWork } from './work.ts'

/** Writes a line; the empty one, which says nothing, is left out. */
export async function tell(work: WorkflowWork, text: string): Promise<void> {
  if (text !== '') await work.write('stdout', text)
}

export function announce(step: PlannedStep, units: readonly Unit[]): string {
  const hosts = [...new Set(units.map((unit) => unit.host))]
  const where =
    hosts.length === 0 ? '' : ` on ${hosts.slice(0, 5).join(', ')}${hosts.length > 5 ? ` and ${hosts.length - 5} more` : ''}`
  return line(`${step.title}: ${step.forEach === undefined ? 'started' : plural(units.length, 'unit')}${where}`)
}

export function reportUnitStart(step: PlannedStep, unit: Unit): string {
  return step.forEach === undefined
    ? ''
    : line(`${step.title} ${unit.index + 1} (${brief(unit.itemText)}) on ${unit.host}: started`)
}

export function reportUnitEnd(step: PlannedStep, end: UnitEnd): string {
  const which = step.forEach === undefined ? '' : ` ${end.index + 1} (${brief(end.item)})`
  const code = typeof end.exit?.code === 'number' && end.exit.code !== 0 ? `, exit code ${end.exit.code}` : ''
  const why = end.error ? `: ${end.error.message}` : ''
  return line(
    `${step.title}${which} on ${end.host}: ${end.state.replace('_', ' ')} after ${seconds(end.durationMs)}${code}${why}`,
  )
}

export function reportStep(step: PlannedStep, end: StepEnd): string {
  // A single unit that succeeded has just been told of.
  if (step.forEach === undefined && end.state === 'succeeded') return ''
  return line(`${step.title}: ${end.state}${end.reason === undefined ? '' : `, ${end.reason}`}`)
}

export function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}

function brief(item: string): string {
  return item.length > 60 ? `${item.slice(0, 59)}…` : item
}

function seconds(ms: number): string {
  return ms < 1000 ? `${ms} ms` : `${(ms / 1000).toFixed(1)} s`
}

// Items and error messages come from outside: one line each, and nothing that a terminal would obey.
function line(text: string): string {
  return `${text.replaceAll(/[\p{Cc}\u2028\u2029]+/gu, ' ')}\n`
}
