// `when` expressions, in CEL. Parsed and type-checked with the file, evaluated when the step's turn comes.
// Evaluation is bounded in time: CEL has regular expressions and nested macros.

import { type ASTNode, Environment, type ParseResult } from '@marcbachmann/cel-js'
import { celLimits, celProblem, celValue } from '../expression/cel.ts'
import { timedOut, withinTime } from '../expression/time-limit.ts'
import { limits } from './limits.ts'
import type { Reference, Scope, TemplateComplaint } from './template.ts'

export interface Condition {
  readonly source: string
  readonly references: readonly Reference[]
  /** Throws an Error that says what went wrong. */
  holds(scope: Scope): boolean
}

/** The CEL types of the variables that an expression may use, by root and name: `inputs.count` is an `int`. */
export type VariableTypes = Readonly<Record<string, Readonly<Record<string, CelType>>>>
type CelType = 'string' | 'int' | 'bool' | 'list' | 'dyn' | { readonly [field: string]: 'string' | 'list' | 'dyn' }

const roots = ['inputs', 'steps', 'run'] as const
const evaluating = roots.reduce((environment, root) => environment.registerVariable(root, 'map'), new Environment(celLimits))

/** Parses an expression; what it refers to is for the caller to check. */
export function parseCondition(source: string): Condition | TemplateComplaint {
  let parsed: ParseResult
  try {
    parsed = evaluating.parse(source)
  } catch (thrown) {
    return complaintOf(source, thrown)
  }
  return {
    source,
    references: referencesOf(parsed.ast),
    holds(scope) {
      const result: unknown = withinTime(limits.expressionMs, () => parsed(celScope(scope)))
      if (result === timedOut) throw new Error(`it did not end within ${limits.expressionMs} ms`)
      if (typeof result !== 'boolean') throw new Error('the result is neither true nor false')
      return result
    },
  }
}

/** Whether the types fit: undefined, or what does not. Only the variables that the expression uses need be given. */
export function checkTypes(condition: Condition, types: VariableTypes): TemplateComplaint | undefined {
  const environment = new Environment(celLimits)
  for (const root of roots) environment.registerVariable({ name: root, schema: types[root] ?? {} })
  const { valid, type, error } = environment.check(condition.source)
  if (!valid) return complaintOf(condition.source, error)
  if (type === 'bool' || type === 'dyn') return undefined
  return {
    offset: 0,
    length: 1,
    problem: `when must be true or false, and this is a ${type}`,
    fix: 'Compare it with something, as in `when: steps.build.exit_code == 0`.',
  }
}

function complaintOf(source: string, thrown: unknown): TemplateComplaint {
  const { summary, range } = celProblem(thrown)
  const braces = source.indexOf('{{')
  const start = braces >= 0 ? braces : Math.min(range?.start ?? 0, Math.max(0, source.length - 1))
  const unknown = /^Unknown variable: (.*)$/.exec(summary)?.[1]
  if (unknown === 'item' || unknown === 'loop') {
    return {
      offset: start,
      length: 1,
      problem: `when is decided once for the step, before its items: there is no ${unknown} yet`,
      fix: 'Decide by `inputs` or `steps`, or leave items out of the list that `for_each` is given.',
    }
  }
  return {
    offset: start,
    length: Math.max(1, (range?.end ?? 1) - (range?.start ?? 0)),
    problem: `the CEL expression is wrong: ${unknown === undefined ? summary : `there is no variable "${unknown}"`}`,
    fix:
      braces >= 0
        ? 'Write `when` without braces, as in `when: inputs.mode == "full"`.'
        : 'Use `inputs`, `steps` and CEL\'s operators, as in `when: inputs.mode == "full" && steps.build.exit_code == 0`.',
  }
}

/** Every chain like `steps.build.exit_code` or `inputs["root"]` in the expression. */
function referencesOf(ast: ASTNode): Reference[] {
  const found: Reference[] = []
  const visit = (node: ASTNode): void => {
    const chain = chainOf(node)
    if (chain && (roots as readonly string[]).includes(chain.root)) found.push({ ...chain, offset: node.start })
    else if (!chain) for (const inner of nodesIn(node.args)) visit(inner)
    if (chain) for (const index of chain.computed) visit(index)
  }
  visit(ast)
  return found
}

function chainOf(node: ASTNode): { root: string; keys: (string | number | undefined)[]; computed: ASTNode[] } | undefined {
  if (node.op === 'id') return { root: node.args, keys: [], computed: [] }
  if (node.op !== '.' && node.op !== '[]') return undefined
  const inner = chainOf(node.args[0])
  if (!inner) return undefined
  const index = node.args[1]
  if (typeof index === 'string') return { ...inner, keys: [...inner.keys, index] }
  const literal = index.op === 'value' ? index.args : undefined
  if (typeof literal === 'string') return { ...inner, keys: [...inner.keys, literal] }
  if (typeof literal === 'bigint') return { ...inner, keys: [...inner.keys, Number(literal)] }
  return { ...inner, keys: [...inner.keys, undefined], computed: [...inner.computed, index] }
}

function nodesIn(args: unknown): ASTNode[] {
  if (Array.isArray(args)) return args.flatMap(nodesIn)
  return typeof args === 'object' && args !== null && 'op' in args ? [args as ASTNode] : []
}

function celScope(scope: Scope): Record<string, unknown> {
  return Object.fromEntries(roots.map((root) => [root, celValue(scope[root])]))
}
