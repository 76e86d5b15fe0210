// The `when` of a rule, in CEL: whether it holds for a question. What cannot be evaluated neither holds nor fails to: it is unknown, and
// the evaluator takes it for whatever narrows.

import { Environment, type ParseResult } from '@marcbachmann/cel-js'
import type { RuleMatch } from '../contract/policy.ts'
import { celLimits, celProblem, celValue } from '../expression/cel.ts'
import { timedOut, withinTime } from '../expression/time-limit.ts'
import type { Question } from './question.ts'

const deadlineMs = 500
const mostKept = 1000

const environment = new Environment(celLimits)
  .registerVariable('command', 'string')
  .registerVariable('params', 'map')
  .registerVariable('hub', 'string')
  .registerVariable('session', 'string')
  .registerVariable('principal', 'map')

/** Parsing takes longer than evaluating; a policy's few conditions are asked again with each call. */
const parsed = new Map<string, ParseResult>()

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
    const result: unknown = withinTime(deadlineMs, () => parse(source)(variablesOf(question)))
    if (result === timedOut) return unknown(`its condition did not end within ${deadlineMs} ms`)
    if (typeof result !== 'boolean') return unknown('its condition is neither true nor false')
    return result ? { match: 'yes', why: 'its condition holds' } : { match: 'no', why: 'its condition does not hold' }
  } catch (error) {
    return unknown(`its condition cannot be evaluated: ${celProblem(error).summary}`)
  }
}

function parse(source: string): ParseResult {
  const known = parsed.get(source)
  if (known) return known
  if (parsed.size >= mostKept) parsed.clear()
  const fresh = environment.parse(source)
  parsed.set(source, fresh)
  return fresh
}

function variablesOf({ command, params = {}, hub, session = '', principal: { kind, id, role } }: Question) {
  return { command, params: celValue(params), hub, session, principal: { kind, id, role } }
}

function unknown(why: string): { match: 'unknown'; why: string } {
  return { match: 'unknown', why }
}
