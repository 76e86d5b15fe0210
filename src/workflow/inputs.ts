// The values that a workflow is started with: checked against what its file declares, defaults filled in.
// Command lines give text, APIs give typed values; both are taken.

import { failure } from '../contract/errors.ts'
import { limits } from './limits.ts'
import type { Plan, PlannedInput } from './plan.ts'
import { listNames, nearest, quote } from './problem.ts'

/**
 * Every declared input with its value; one that was not given and has no default is null. Text is read as the input's type:
 * a list as a JSON array, as lines, or separated by commas. Throws `workflow.input`.
 */
export function resolveInputs(plan: Plan, given: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const declared = new Set(plan.inputs.map((input) => input.name))
  for (const name of Object.keys(given)) {
    if (!declared.has(name)) throw unknownInput(name, declared)
  }
  const values = plan.inputs.map(
    (input) => [input.name, resolve(input, Object.hasOwn(given, input.name) ? given[input.name] : undefined)] as const,
  )
  for (const [name, value] of values) {
    if (Buffer.byteLength(JSON.stringify(value) ?? '') > limits.inputBytes) {
      throw failure('workflow.input', {
        input: name,
        problem: `is larger than ${limits.inputBytes / 1024} KiB`,
        fix: 'Put the data into a file, and pass its name.',
      })
    }
  }
  return Object.fromEntries(values)
}

/** What is wrong with a typed value, as the end of a sentence about it. */
export function inputProblem(input: Pick<PlannedInput, 'type' | 'enum'>, value: unknown): string | undefined {
  if (!hasType(input.type, value)) return `is not ${typeNames[input.type]}`
  const members = Array.isArray(value) ? value : [value]
  const stray = input.enum && members.find((member) => !input.enum?.includes(member))
  return stray === undefined
    ? undefined
    : `is ${quote(String(stray))}, which is not one of: ${listNames(input.enum?.map(String) ?? [])}`
}

function resolve(input: PlannedInput, given: unknown): unknown {
  const value = typeof given === 'string' ? readText(input.type, given) : given
  if (value === undefined || value === null) {
    if (!input.required) return input.default ?? null
    throw failure('workflow.input', {
      input: input.name,
      problem: `is required${input.description ? ` (${input.description})` : ''}`,
      fix: `Pass it with \`--input ${input.name}=VALUE\`.`,
    })
  }
  const problem = inputProblem(input, value)
  if (problem === undefined) return value
  throw failure('workflow.input', {
    input: input.name,
    problem,
    fix: `Pass ${typeNames[input.type]}: \`--input ${input.name}=${examples[input.type]}\`.`,
  })
}

const typeNames = {
  string: 'a text',
  integer: 'a whole number',
  boolean: 'true or false',
  list: `a list of at most ${limits.items} entries`,
} as const
const examples = { string: 'TEXT', integer: '3', boolean: 'true', list: 'A,B' } as const

function hasType(type: PlannedInput['type'], value: unknown): boolean {
  switch (type) {
    case 'string':
      return typeof value === 'string'
    case 'integer':
      return Number.isSafeInteger(value)
    case 'boolean':
      return typeof value === 'boolean'
    case 'list':
      return Array.isArray(value) && value.length <= limits.items
  }
}

function readText(type: PlannedInput['type'], text: string): unknown {
  const trimmed = text.trim()
  switch (type) {
    case 'string':
      return text
    case 'integer':
      return /^-?\d+$/.test(trimmed) ? Number(trimmed) : text
    case 'boolean':
      return trimmed === 'true' ? true : trimmed === 'false' ? false : text
    case 'list':
      return readList(trimmed)
  }
}

function readList(text: string): unknown[] {
  const json = jsonArray(text)
  if (json) return json
  return text
    .split(text.includes('\n') ? /\r?\n/ : ',')
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '')
}

/** The array that a text is in JSON, or undefined. */
export function jsonArray(text: string): unknown[] | undefined {
  if (!text.trimStart().startsWith('[')) return undefined
  try {
    const value: unknown = JSON.parse(text)
    return Array.isArray(value) ? value : undefined
  } catch {
    // Not JSON: it is plain text that begins with a bracket.
    return undefined
  }
}

function unknownInput(name: string, declared: ReadonlySet<string>) {
  const meant = nearest(name, declared)
  const list = declared.size > 0 ? `It takes: ${listNames(declared)}.` : 'It takes none.'
  return failure('workflow.input', {
    input: name,
    problem: 'is not known to this workflow',
    fix: meant ? `Did you mean \`--input ${meant}=VALUE\`?` : list,
  })
}
