// The units of a step: which items, on which hosts, under which run ids, with which specs. All of it depends only on the plan,
// the inputs and earlier results, so a resumed workflow makes exactly the same units again.

import { createHash } from 'node:crypto'
import { failure, type MusterError } from '../contract/errors.ts'
import { HostRef, RunId } from '../contract/names.ts'
import { RunSpec, type RunSpecInput } from '../contract/run.ts'
import { timedOut, withinTime } from '../expression/time-limit.ts'
import { jsonArray } from './inputs.ts'
import { limits } from './limits.ts'
import type { PlannedStep } from './plan.ts'
import { renderProblem, type Scope, type Template, treeValue } from './template.ts'

export interface Unit {
  readonly index: number
  /** Undefined for a step without for_each. */
  readonly item: unknown
  /** The item as it is shown, shortened. */
  readonly itemText: string
  readonly host: string
  readonly run: string
  /** Made when the unit's turn comes. Throws `workflow.expression` or `input.invalid`. */
  spec(): RunSpecInput
}

/** Why a step could not even be divided into units; it has then failed. */
export class StepProblem extends Error {
  override readonly name = 'StepProblem'
}

interface UnitSettings {
  readonly run: string
  readonly defaultHost: string
  readonly cwd?: string | undefined
}

/** A step's units in the order of its items. Throws StepProblem. */
export function unitsOf(step: PlannedStep, scope: Scope, settings: UnitSettings): Unit[] {
  const items = step.forEach === undefined ? [undefined] : itemsOf(step, scope)
  const hosts = step.distribute && hostsOf(step.distribute, scope)
  const scopes = items.map((item, index) =>
    step.forEach === undefined ? scope : { ...scope, item, loop: loopOf(index, items.length) },
  )
  // All host names in one bounded evaluation: 10,000 of their own would hold up the process for seconds.
  const { host } = step
  const named = host && renderForStep('host', () => scopes.map((inUnit) => hostOf(step, host, inUnit)))
  return scopes.map((inUnit, index) => {
    const item = items[index]
    const place = named?.[index] ?? { host: hosts?.[index % hosts.length] ?? settings.defaultHost }
    return {
      index,
      item,
      itemText: itemText(item),
      run: unitRun(settings.run, step, index),
      host: place.host ?? settings.defaultHost,
      spec() {
        if (place.problem) throw place.problem
        return specOf(step, inUnit, settings.cwd)
      },
    }
  })
}

function itemsOf(step: PlannedStep, scope: Scope): unknown[] {
  const value = renderForStep('for_each', () => treeValue(step.forEach ?? null, scope))
  const items = typeof value === 'string' ? (jsonArray(value) ?? nonEmptyLines(value)) : value
  if (!Array.isArray(items)) throw new StepProblem(`for_each gave ${JSON.stringify(items)}, which is neither a list nor text`)
  if (items.length > limits.items) throw new StepProblem(`for_each gave ${items.length} items; the most is ${limits.items}`)
  return items
}

function hostsOf(templates: readonly Template[], scope: Scope): string[] {
  const hosts = renderForStep('distribute.hosts', () =>
    templates.flatMap((template) => {
      const value = template.value(scope)
      return Array.isArray(value) ? value : [value]
    }),
  )
  if (hosts.length === 0) throw new StepProblem('distribute.hosts names no host')
  if (hosts.length > limits.hosts)
    throw new StepProblem(`distribute.hosts names ${hosts.length} hosts; the most is ${limits.hosts}`)
  return hosts.map((host) => {
    const name = HostRef.safeParse(host)
    if (!name.success) throw new StepProblem(`distribute.hosts has ${JSON.stringify(host)}, which is not a host's name`)
    return name.data
  })
}

/** A host's name that cannot be made out fails its unit only, when that is about to start. */
function hostOf(step: PlannedStep, template: Template, scope: Scope): { host?: string; problem?: MusterError } {
  try {
    const text = template.text(scope)
    const name = HostRef.safeParse(text)
    return name.success
      ? { host: name.data }
      : { problem: expressionFailure(step, 'host', `${JSON.stringify(text)} is not a host's name`) }
  } catch (thrown) {
    return { problem: expressionFailure(step, 'host', renderProblem(thrown)) }
  }
}

function specOf(step: PlannedStep, scope: Scope, defaultCwd: string | undefined): RunSpecInput {
  // One bounded evaluation for all fields of the unit; `field` says how far it came.
  let field = ''
  const text = (name: string, template: Template) => {
    field = name
    return template.text(scope)
  }
  const renderAll = () => {
    const { action } = step
    const argv = action.kind === 'shell' ? ['/bin/sh', '-c', action.line] : action.argv.map((part, i) => text(`run[${i}]`, part))
    const env = Object.fromEntries(step.env.map(([name, template]) => [name, text(`env.${name}`, template)]))
    const cwd = step.cwd ? text('cwd', step.cwd) : defaultCwd
    const artifacts = step.artifacts?.map((part, i) => text(`artifacts[${i}]`, part))
    return { kind: 'command' as const, argv, env, ...(cwd !== undefined && { cwd }), ...(artifacts && { artifacts }) }
  }
  const spec = { ...renderFor(step, () => field, renderAll), ...(step.timeoutMs !== undefined && { timeoutMs: step.timeoutMs }) }
  const issue = RunSpec.safeParse(spec).error?.issues[0]
  if (!issue) return spec
  throw failure('input.invalid', { what: `the command of step ${step.id}`, problem: `${issue.path.join('.')}: ${issue.message}` })
}

function renderFor<T>(step: PlannedStep, field: () => string, work: () => T): T {
  try {
    return render(work)
  } catch (thrown) {
    throw expressionFailure(step, field(), renderProblem(thrown))
  }
}

function renderForStep<T>(field: string, work: () => T): T {
  try {
    return render(work)
  } catch (thrown) {
    throw new StepProblem(`${field} cannot be evaluated: ${renderProblem(thrown)}`)
  }
}

function render<T>(work: () => T): T {
  const result = withinTime(limits.expressionMs, work)
  if (result === timedOut) throw new Error(`it did not end within ${limits.expressionMs} ms`)
  return result
}

function expressionFailure(step: PlannedStep, field: string, problem: string): MusterError {
  return failure('workflow.expression', { step: step.id, field, problem })
}

function loopOf(index: number, length: number) {
  return { index: index + 1, index0: index, length, first: index === 0, last: index === length - 1 }
}

/** Deterministic: the same unit has the same id after a restart. A run id too long to extend is represented by its digest. */
function unitRun(run: string, step: PlannedStep, index: number): string {
  const suffix = step.forEach === undefined ? step.id : `${step.id}.${index}`
  const plain = RunId.safeParse(`${run}.${suffix}`)
  if (plain.success) return plain.data
  return `${createHash('sha256').update(run).digest('hex').slice(0, 32)}.${suffix}`
}

function itemText(item: unknown): string {
  const text = item === undefined ? '' : typeof item === 'string' ? item : JSON.stringify(item)
  return cutText(text, limits.itemTextBytes).text
}

/** The longest beginning of a text that fits into `bytes` of UTF-8. */
export function cutText(text: string, bytes: number): { text: string; cut: boolean } {
  if (text.length * 3 <= bytes) return { text, cut: false }
  const encoded = Buffer.from(text)
  if (encoded.length <= bytes) return { text, cut: false }
  let end = bytes
  while (end > 0 && ((encoded[end] ?? 0) & 0xc0) === 0x80) end--
  return { text: encoded.toString('utf8', 0, end), cut: true }
}

function nonEmptyLines(text: string): string[] {
  return text.split(/\r?\n/).filter((line) => line.trim() !== '')
}
