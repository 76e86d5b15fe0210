// The `when` of a rule, in CEL: whether it holds for a question. What cannot be evaluated neither holds nor fails to: it is unknown, and
// the evaluator takes it for whatever narrows.

import { type ASTNode, Environment, type ParseResult } from '@marcbachmann/cel-js'
import type { RuleMatch } from '../contract/policy.ts'
import { celLimits, celProblem, celValue } from '../expression/cel.ts'
import { timedOut, withinTime } from '../expression/time-limit.ts'
import type { Question } from './question.ts'

const deadlineMs = 1000
const mostKept = 1000

const environment = new Environment(celLimits)
  .registerVariable('command', 'string')
  .registerVariable('params', 'map')
  .registerVariable('hub', 'string')
  .registerVariable('session', 'string')
  .registerVariable('principal', 'map')

/** What takes no longer than it takes to read what it is given. Anything else is watched, which costs more than most conditions do. */
const quick = new Set(['has', 'size', 'startsWith', 'endsWith', 'contains'])

interface Parsed {
  readonly evaluate: ParseResult
  readonly isQuick: boolean
}

/** Parsing takes longer than evaluating; a policy's few conditions are asked again with each call. */
const parsed = new Map<string, Parsed>()

/** What is wrong with a condition, before anybody is asked by it; undefined when it can be evaluated. */
export function conditionProblem(source: string): string | undefined {
  try {
    const { valid, type, error } = environment.check(source)
    if (!valid) return celProblem(error).summary
    return type === 'bool' || type === 'dyn' ? undefined : `it must be true or false, and this is a ${type}`
  } catch (error) {
    return celProblem(error).summary
  }
}

export function conditionHolds(source: string, question: Question): { match: RuleMatch; why: string } {
  try {
    const { evaluate, isQuick } = parse(source)
    const work = (): unknown => evaluate(variablesOf(question))
    const result = isQuick ? work() : withinTime(deadlineMs, work)
    if (result === timedOut) return unknown(`its condition did not end within ${deadlineMs} ms`)
    if (typeof result !== 'boolean') return unknown('its condition is neither true nor false')
    return result ? { match: 'yes', why: 'its condition holds' } : { match: 'no', why: 'its condition does not hold' }
  } catch (error) {
    return unknown(`its condition cannot be evaluated: ${celProblem(error).summary}`)
  }
}

function parse(source: string): Parsed {
  const known = parsed.get(source)
  if (known) return known
  if (parsed.size >= mostKept) parsed.clear()
  const evaluate = environment.parse(source)
  const fresh = { evaluate, isQuick: isQuick(evaluate.ast) }
  parsed.set(source, fresh)
  return fresh
}

function isQuick({ op, args }: ASTNode): boolean {
  if ((op === 'call' || op === 'rcall') && !quick.has(args[0])) return false
  return nodesIn(args).every(isQuick)
}

function nodesIn(args: unknown): ASTNode[] {
  if (Array.isArray(args)) return args.flatMap(nodesIn)
  return typeof args === 'object' && args !== null && 'op' in args ? [args as ASTNode] : []
}

/** The parameters of a question for all its conditions: large ones are not to cost as often as there are rules. */
const celParams = new WeakMap<object, unknown>()

function variablesOf({ command, params = {}, hub, session = '', principal: { kind, id, role } }: Question) {
  const known = celParams.get(params) ?? celValue(params)
  celParams.set(params, known)
  return { command, params: known, hub, session, principal: { kind, id, role } }
}

function unknown(why: string): { match: 'unknown'; why: string } {
  return { match: 'unknown', why }
}
