// Texts with {{ expressions }}, by liquidjs, cut down to what a workflow file needs: values with filters. No tags, no files, no
// filter whose result changes from one time to the next, because a resumed workflow must ask for exactly the same runs again.

import { Liquid, type Template as LiquidTemplate } from 'liquidjs'
import type { Complaint } from './problem.ts'
import { listNames, nearest, quote } from './problem.ts'

/** What a template or condition uses: `inputs.root` is root `inputs`, keys [`root`]. A key computed at run time is undefined. */
export interface Reference {
  readonly root: string
  readonly keys: readonly (string | number | undefined)[]
  readonly offset: number
}

export type Scope = Readonly<Record<string, unknown>>

export interface Template {
  readonly source: string
  readonly references: readonly Reference[]
  /** The text; lists and maps in it are written as JSON. Throws an Error that says what is missing. */
  text(scope: Scope): string
  /** The value itself where the whole text is one expression; otherwise the text. */
  value(scope: Scope): unknown
}

export interface TemplateComplaint extends Complaint {
  readonly offset: number
  readonly length: number
}

/** Template texts inside lists and maps, as `for_each` may have them. */
export type TemplateTree = Template | number | boolean | null | readonly TemplateTree[] | { readonly [key: string]: TemplateTree }

export const filterNames = [
  'abs',
  'append',
  'at_least',
  'at_most',
  'base64_decode',
  'base64_encode',
  'capitalize',
  'ceil',
  'compact',
  'concat',
  'default',
  'divided_by',
  'downcase',
  'first',
  'floor',
  'join',
  'json',
  'last',
  'lstrip',
  'map',
  'minus',
  'modulo',
  'plus',
  'prepend',
  'remove',
  'replace',
  'replace_first',
  'reverse',
  'round',
  'rstrip',
  'size',
  'slice',
  'slugify',
  'sort',
  'sort_natural',
  'split',
  'strip',
  'sum',
  'times',
  'truncate',
  'uniq',
  'upcase',
  'url_decode',
  'url_encode',
  'where',
] as const

const textEngine = engine({ outputEscape: writeValue })
const valueEngine = engine({ keepOutputType: true })

/** Parses a text; a complaint tells where in the text it is wrong. */
export function parseTemplate(source: string): Template | TemplateComplaint {
  const tag = literals(source).find((text) => text.text.includes('{%'))
  if (tag) {
    return {
      offset: tag.offset + tag.text.indexOf('{%'),
      length: 2,
      problem: 'tags are not part of workflow templates',
      fix: 'Use only {{ values }}; choose with `when`, repeat with `for_each`. For "{%" itself write {{ "{%" }}.',
    }
  }
  try {
    const parsed = textEngine.parse(source)
    for (const output of expressions(source)) {
      const complaint = checkExpression(output.text)
      if (complaint) return { offset: output.offset, length: output.text.length, ...complaint }
    }
    const values = valueEngine.parse(source)
    return {
      source,
      references: references(parsed, source),
      text: (scope) => textEngine.renderSync(parsed, scope) as string,
      value: (scope) => {
        if (values.length !== 1 || expressions(source).length !== 1) return textEngine.renderSync(parsed, scope)
        return valueEngine.renderSync(values, scope)
      },
    }
  } catch (thrown) {
    return explain(source, thrown)
  }
}

export function isTemplate(parsed: Template | TemplateComplaint): parsed is Template {
  return 'references' in parsed
}

/** A tree with its templates' values in place. */
export function treeValue(tree: TemplateTree, scope: Scope): unknown {
  if (tree === null || typeof tree !== 'object') return tree
  if (isList(tree)) return tree.map((inner) => treeValue(inner, scope))
  if (isLeaf(tree)) return tree.value(scope)
  return Object.fromEntries(Object.entries(tree).map(([key, inner]) => [key, treeValue(inner, scope)]))
}

/** What went wrong while rendering, without liquidjs's own place, which counts inside the text. */
export function renderProblem(thrown: unknown): string {
  const message = thrown instanceof Error ? thrown.message : String(thrown)
  return message.replace(/, line:\d+, col:\d+$/, '')
}

function engine(options: { outputEscape?: (value: unknown) => string; keepOutputType?: true }): Liquid {
  const liquid = new Liquid({
    ...options,
    strictVariables: true,
    strictFilters: true,
    ownPropertyOnly: true,
    templates: {},
    // {% %} never opens a tag: such a text is refused before it comes here.
    tagDelimiterLeft: '\0{%',
    tagDelimiterRight: '%}\0',
    parseLimit: 1_000_000,
    renderLimit: 1000,
    memoryLimit: 10_000_000,
  })
  const kept: ReadonlySet<string> = new Set(filterNames)
  for (const name of Object.keys(liquid.filters)) if (!kept.has(name)) delete liquid.filters[name]
  return liquid
}

function writeValue(value: unknown): string {
  if (value === null || value === undefined) return ''
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}

function references(parsed: LiquidTemplate[], source: string): Reference[] {
  const lineStarts = [0, ...[...source.matchAll(/\n/g)].map((match) => match.index + 1)]
  const used = Object.values(textEngine.analyzeSync(parsed).globals).flat()
  return used.map(({ segments, location }) => {
    const [root, ...keys] = segments
    return {
      root: String(root),
      keys: keys.map((key) => (typeof key === 'string' || typeof key === 'number' ? key : undefined)),
      offset: (lineStarts[location.row - 1] ?? 0) + location.col - 1,
    }
  })
}

interface Piece {
  readonly offset: number
  readonly text: string
}

/** The insides of `{{ }}`; quotes inside may hold braces. */
function expressions(source: string): Piece[] {
  return [...source.matchAll(/\{\{-?((?:"[^"]*"|'[^']*'|(?!-?\}\})[^"'])*)-?\}\}/g)].map((match) => ({
    offset: match.index + match[0].indexOf(match[1] ?? ''),
    text: match[1] ?? '',
  }))
}

function literals(source: string): Piece[] {
  const found: Piece[] = []
  let from = 0
  for (const { offset, text } of expressions(source)) {
    found.push({ offset: from, text: source.slice(from, offset) })
    from = offset + text.length
  }
  return [...found, { offset: from, text: source.slice(from) }]
}

// liquidjs reads `{{ a b }}` as b, `{{ a. }}` as a and `{{ a | }}` as a: all of them are mistakes that must not pass.
const operand = /(?:"[^"]*"|'[^']*'|-?\d+(?:\.\d+)?|[A-Za-z_][\w-]*(?:\.[A-Za-z_][\w-]*|\.\d+|\[[^\]]+\])*)/.source
const value = new RegExp(`^\\s*(?:${operand}|\\(\\s*${operand}\\s*\\.\\.\\s*${operand}\\s*\\))\\s*$`)
const filter = new RegExp(`^\\s*(\\w+)\\s*(?::\\s*${operand}\\s*(?:,\\s*${operand}\\s*)*)?$`)

function checkExpression(text: string): Complaint | undefined {
  const [first = '', ...filters] = splitPipes(text)
  if (!value.test(first)) {
    return {
      problem: `{{${text}}} is not a value`,
      fix: 'Write one value, as in {{ inputs.root }} or {{ item.name }}; compare in `when`, calculate with filters after "|".',
    }
  }
  const bad = filters.find((one) => !filter.test(one))
  if (bad === undefined) return undefined
  return {
    problem: `"|${bad}" is not a filter`,
    fix: 'Write `| name` or `| name: value, value`, as in {{ inputs.files | join: "," }}.',
  }
}

function splitPipes(text: string): string[] {
  const parts = ['']
  for (const [token] of text.matchAll(/"[^"]*"|'[^']*'|[\s\S]/g)) {
    if (token === '|') parts.push('')
    else parts[parts.length - 1] += token
  }
  return parts
}

function explain(source: string, thrown: unknown): TemplateComplaint {
  const message = renderProblem(thrown)
  const name = /^undefined filter: (.+)$/.exec(message)?.[1]
  if (name !== undefined) {
    const meant = nearest(name, filterNames)
    return {
      offset: Math.max(0, source.search(new RegExp(`\\|\\s*${name.replaceAll(/\W/g, '\\$&')}\\b`))),
      length: 1,
      problem: `there is no filter ${quote(name)}`,
      fix: meant ? `Write \`${meant}\`.` : `The filters are: ${listNames(filterNames)}; docs/workflows.md has them all.`,
    }
  }
  return {
    offset: Math.max(0, source.indexOf('{{')),
    length: 2,
    problem: `the template cannot be read: ${message}`,
    fix: 'Write a value between {{ and }}, as in {{ inputs.root }}. For "{{" itself write {{ "{{" }}.',
  }
}

function isList(tree: object): tree is readonly TemplateTree[] {
  return Array.isArray(tree)
}

function isLeaf(tree: object): tree is Template {
  return typeof (tree as { value?: unknown }).value === 'function'
}
