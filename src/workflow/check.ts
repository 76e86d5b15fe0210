// From YAML text to a checked plan. All problems are gathered; the one that a reader of the file meets first is thrown,
// with line, column and the fix. Nothing here runs anything.

import { failure } from '../contract/errors.ts'
import { timedOut, withinTime } from '../expression/time-limit.ts'
import { type Condition, checkTypes, parseCondition, type VariableTypes } from './condition.ts'
import { parseDuration } from './duration.ts'
import { fixFor } from './fixes.ts'
import { inputProblem } from './inputs.ts'
import { limits } from './limits.ts'
import type { Plan, PlannedInput, PlannedStep } from './plan.ts'
import { type Complaint, firstProblem, invalid, type Problem } from './problem.ts'
import { checkReference, type Known } from './references.ts'
import { DefaultsShape, InputShape, StepShape, WorkflowShape } from './shape.ts'
import { fieldName, shapeProblems } from './shape-problems.ts'
import {
  isTemplate,
  parseTemplate,
  type Reference,
  type Template,
  type TemplateComplaint,
  type TemplateTree,
} from './template.ts'
import { keyOffsetAt, locatedAt, offsetAt, offsetInside, type Path, readYaml, textAt, type YamlFile } from './yaml.ts'

/** The plan that a workflow file describes. `file` is its name for messages. Throws `workflow.invalid`. */
export function checkWorkflow(source: string, file: string): Plan {
  if (Buffer.byteLength(source) > limits.sourceBytes) {
    throw failure('workflow.invalid', {
      file,
      line: 1,
      column: 1,
      problem: `the file is larger than ${limits.sourceBytes / 1024} KiB`,
      fix: 'Keep data in files of its own, and read them in a step.',
    })
  }
  const plan = withinTime(limits.checkMs, () => check(source, file))
  if (plan !== timedOut) return plan
  throw failure('workflow.invalid', {
    file,
    line: 1,
    column: 1,
    problem: `the file takes longer than ${limits.checkMs / 1000} s to check`,
    fix: 'Make it smaller.',
  })
}

function check(source: string, file: string): Plan {
  const yaml = readYaml(source)
  const unreadable = firstProblem(yaml.problems)
  if (unreadable) throw invalid(file, source, unreadable)

  const shaped = WorkflowShape.safeParse(yaml.root.value)
  const problems = shapeProblems(yaml, shaped.error?.issues ?? [])
  // Parts of the right shape are checked further even where others are not: the first problem may be in them.
  const inputs = planInputs(yaml, problems)
  const steps = planSteps(yaml, inputs, problems)

  const first = firstProblem(problems)
  if (first) throw invalid(file, source, first)
  if (!shaped.success) throw failure('internal', { problem: `the workflow's shape was refused without a reason (${file})` })
  const { name, description } = shaped.data
  return { file, name, ...(description !== undefined && { description }), inputs, steps }
}

function planInputs(yaml: YamlFile, problems: Problem[]): PlannedInput[] {
  const declared = locatedAt(yaml, ['inputs'])?.entries ?? new Map()
  if (declared.size > limits.inputs) {
    problems.push({
      offset: offsetAt(yaml, ['inputs']),
      problem: `there are more than ${limits.inputs} inputs`,
      fix: 'Give a list as one input.',
    })
  }
  return [...declared].flatMap(([name, { located }]) => {
    const shaped = InputShape.safeParse(located.value)
    if (!shaped.success) return []
    const { type = 'string', required = false, ...rest } = shaped.data
    const complain = (field: string, complaint: Complaint) =>
      problems.push({ offset: offsetAt(yaml, ['inputs', name, field]), ...complaint })
    const members = type === 'list' ? undefined : { type }
    for (const [i, allowed] of (rest.enum ?? []).entries()) {
      const problem = members && inputProblem(members, allowed)
      if (problem) {
        const fix = "Write the allowed values in the input's own type."
        problems.push({
          offset: offsetAt(yaml, ['inputs', name, 'enum', i]),
          problem: `this value of input ${name} ${problem}`,
          fix,
        })
      }
    }
    if (rest.default !== undefined) {
      const problem = inputProblem({ type, ...(rest.enum && { enum: rest.enum }) }, rest.default)
      if (problem)
        complain('default', { problem: `the default of input ${name} ${problem}`, fix: fixFor(['inputs', name, 'default']) })
      if (required) {
        complain('required', {
          problem: `input ${name} has a default, so it is never missing`,
          fix: 'Remove `required`, or remove `default`.',
        })
      }
    }
    return [{ name, type, required, ...defined(rest) }]
  })
}

function planSteps(yaml: YamlFile, inputs: readonly PlannedInput[], problems: Problem[]): PlannedStep[] {
  const places = locatedAt(yaml, ['steps'])?.items ?? []
  const defaults = DefaultsShape.safeParse(locatedAt(yaml, ['defaults'])?.value ?? {}).data ?? {}
  const names = new Set(locatedAt(yaml, ['inputs'])?.entries?.keys())
  const ids = new Set(places.flatMap((place) => idOf(place.value)))
  const earlier = new Map<string, { fansOut: boolean }>()

  return places.flatMap((place, index) => {
    const [id = ''] = idOf(place.value)
    if (earlier.has(id)) {
      problems.push({
        offset: offsetAt(yaml, ['steps', index, 'id']),
        problem: `there is another step with the id "${id}" above`,
        fix: 'Give each step an id of its own.',
      })
    }
    const shaped = StepShape.safeParse(place.value)
    const known: Known = { inputs: names, earlier: new Map(earlier), steps: ids, step: id, inUnit: false }
    const planned = shaped.success
      ? [planStep({ yaml, path: ['steps', index], problems, known, inputs }, shaped.data, defaults)]
      : []
    earlier.set(id, { fansOut: place.entries?.has('for_each') ?? false })
    return planned
  })
}

function idOf(step: unknown): string[] {
  return typeof step === 'object' && step !== null && 'id' in step && typeof step.id === 'string' ? [step.id] : []
}

interface StepContext {
  readonly yaml: YamlFile
  readonly path: Path
  readonly problems: Problem[]
  readonly known: Known
  readonly inputs: readonly PlannedInput[]
}

function planStep(context: StepContext, step: StepShape, defaults: DefaultsShape): PlannedStep {
  checkTogether(context, step)
  const unit = { ...context, known: { ...context.known, inUnit: step.for_each !== undefined } }
  const timeout = durationOf(context, step.timeout, ['timeout']) ?? parseDuration(defaults.timeout ?? 0)
  const hosts = step.distribute?.hosts
  return {
    id: step.id,
    title: step.name ?? step.id,
    action:
      step.shell === undefined
        ? { kind: 'run', argv: (step.run ?? []).map((_, i) => template(unit, ['run', i])) }
        : { kind: 'shell', line: step.shell },
    env: Object.keys(step.env ?? {}).map((name) => [name, template(unit, ['env', name])]),
    continueOnError: step.continue_on_error ?? defaults.continue_on_error ?? false,
    ...defined({
      when: condition(context, step.when),
      forEach: step.for_each === undefined ? undefined : tree(context, ['for_each'], step.for_each),
      distribute:
        hosts === undefined
          ? undefined
          : typeof hosts === 'string'
            ? [template(context, ['distribute', 'hosts'])]
            : hosts.map((_, i) => template(context, ['distribute', 'hosts', i])),
      host: step.host === undefined ? undefined : template(unit, ['host']),
      cwd: step.cwd === undefined ? undefined : template(unit, ['cwd']),
      artifacts: step.artifacts?.map((_, i) => template(unit, ['artifacts', i])),
      maxParallel: step.max_parallel,
      timeoutMs: timeout,
    }),
  }
}

/** What no field can tell by itself. */
function checkTogether({ yaml, path, problems }: StepContext, step: StepShape): void {
  const complain = (field: string, problem: string, fix: string) =>
    problems.push({ offset: keyOffsetAt(yaml, path, field), problem, fix })
  if (step.run === undefined && step.shell === undefined) {
    complain('', 'the step does nothing', 'Add `run: [PROGRAM, ARGUMENT]`, or `shell: "LINE"`.')
  }
  if (step.run !== undefined && step.shell !== undefined) {
    complain('shell', 'a step has either run or shell', 'Remove one of the two, or make two steps.')
  }
  if (step.shell?.includes('{{')) {
    const at = offsetInside(yaml, [...path, 'shell'], { offset: step.shell.indexOf('{{'), length: 2 })
    problems.push({
      offset: at,
      problem: 'shell takes no templates, because a value could become code',
      fix: 'Pass the value by `env: { NAME: "{{ … }}" }` and write "$NAME" in the line, or use `run: [PROGRAM, ARGUMENT]`.',
    })
  }
  if (step.name?.includes('{{')) complain('name', 'name takes no templates', 'Write plain text; units are shown with their item.')
  if (step.for_each === undefined) {
    if (step.distribute)
      complain('distribute', 'distribute spreads the units of for_each, and there is none', 'Add `for_each`, or name one `host`.')
    if (step.max_parallel !== undefined)
      complain('max_parallel', 'max_parallel is for the units of for_each, and there is none', 'Add `for_each`, or remove it.')
  }
  if (step.distribute && step.host !== undefined)
    complain('host', 'a step has either host or distribute', 'Remove one of the two.')
}

function durationOf({ yaml, path, problems }: StepContext, value: number | string | undefined, field: Path): number | undefined {
  if (value === undefined) return undefined
  const ms = parseDuration(value)
  if (ms === undefined) {
    const at = [...path, ...field]
    problems.push({
      offset: offsetAt(yaml, at),
      problem: `${fieldName(at)} is not between a millisecond and 30 days`,
      fix: fixFor(at),
    })
  }
  return ms
}

function template(context: StepContext, field: Path): Template {
  return templateAt(context, [...context.path, ...field], textAt(context.yaml, [...context.path, ...field]))
}

const nothing: Template = { source: '', references: [], text: () => '', value: () => '' }

function templateAt(context: StepContext, path: Path, text: string): Template {
  const parsed = parseTemplate(text)
  if (!isTemplate(parsed)) {
    context.problems.push(placed(context, path, parsed))
    return nothing
  }
  checkReferences(context, path, parsed.references)
  return parsed
}

function tree(context: StepContext, field: Path, value: unknown): TemplateTree {
  const path = [...context.path, ...field]
  if (typeof value === 'string') return templateAt(context, path, value)
  if (Array.isArray(value)) return value.map((inner, i) => tree(context, [...field, i], inner))
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, tree(context, [...field, key], inner)]))
  }
  return typeof value === 'number' || typeof value === 'boolean' ? value : null
}

function condition(context: StepContext, when: string | boolean | undefined): Condition | undefined {
  if (when === undefined) return undefined
  const path = [...context.path, 'when']
  const parsed = parseCondition(String(when))
  if (!('holds' in parsed)) {
    context.problems.push(placed(context, path, parsed))
    return undefined
  }
  if (checkReferences(context, path, parsed.references) > 0) return undefined
  const complaint = checkTypes(parsed, variableTypes(parsed.references, context))
  if (complaint) context.problems.push(placed(context, path, complaint))
  return parsed
}

function checkReferences(context: StepContext, path: Path, references: readonly Reference[]): number {
  const found = references.flatMap((reference) => {
    const complaint = checkReference(reference, context.known)
    return complaint ? [placed(context, path, { ...complaint, offset: reference.offset, length: reference.root.length })] : []
  })
  context.problems.push(...found)
  return found.length
}

function placed({ yaml }: StepContext, path: Path, { offset, length, problem, fix }: TemplateComplaint): Problem {
  return { offset: offsetInside(yaml, path, { offset, length }), problem, fix }
}

const celTypes = { string: 'string', integer: 'int', boolean: 'bool', list: 'list' } as const

/** The types of what a condition uses. An input that may be missing is null then, so its type is open. */
function variableTypes(references: readonly Reference[], { inputs, known }: StepContext): VariableTypes {
  const used = (root: string) =>
    references.flatMap(({ root: at, keys: [name] }) => (at === root && typeof name === 'string' ? [name] : []))
  return {
    run: { id: 'string' },
    inputs: Object.fromEntries(
      used('inputs').map((name) => {
        const input = inputs.find((one) => one.name === name)
        return [name, input && (input.required || input.default !== undefined) ? celTypes[input.type] : 'dyn']
      }),
    ),
    steps: Object.fromEntries(
      used('steps').map((id) => [
        id,
        known.earlier.get(id)?.fansOut
          ? { state: 'string', results: 'list', failed: 'list' }
          : { state: 'string', results: 'list', failed: 'list', stdout: 'string', exit_code: 'dyn' },
      ]),
    ),
  }
}

type Present<T> = { [K in keyof T]?: Exclude<T[K], undefined> }

/** The same without the fields that are undefined. */
function defined<T extends object>(fields: T): Present<T> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Present<T>
}
