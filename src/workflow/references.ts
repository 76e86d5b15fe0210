// Whether what a template or condition refers to exists where it stands: inputs, earlier steps and their results, the item.

import { type Complaint, listNames, nearest } from './problem.ts'
import type { Reference } from './template.ts'

/** What is known at one place in the file. */
export interface Known {
  readonly inputs: ReadonlySet<string>
  /** Steps above, and whether each fans out. */
  readonly earlier: ReadonlyMap<string, { readonly fansOut: boolean }>
  /** All steps of the file, also those below. */
  readonly steps: ReadonlySet<string>
  readonly step: string
  /** `item` and `loop` exist only while a unit of for_each is prepared. */
  readonly inUnit: boolean
}

const loopFields = ['index', 'index0', 'length', 'first', 'last'] as const
const singleFields = ['stdout', 'exit_code', 'state', 'results', 'failed'] as const
const fanOutFields = ['state', 'results', 'failed'] as const

export function checkReference({ root, keys }: Reference, known: Known): Complaint | undefined {
  const [name] = keys
  switch (root) {
    case 'inputs':
      return checkInput(name, known)
    case 'steps':
      return checkStep(name, keys, known)
    case 'run':
      return oneOf('run', name, ['id'], keys.length)
    case 'loop':
      return known.inUnit ? oneOf('loop', name, loopFields, keys.length) : outsideUnit('loop')
    case 'item':
      return known.inUnit ? undefined : outsideUnit('item')
    default:
      return unknownRoot(root, known)
  }
}

function checkInput(name: string | number | undefined, { inputs }: Known): Complaint | undefined {
  if (typeof name !== 'string') {
    return { problem: 'inputs is used without the name of one', fix: 'Write the name out, as in `inputs.NAME`.' }
  }
  if (inputs.has(name)) return undefined
  const meant = nearest(name, inputs)
  return {
    problem: `there is no input "${name}"`,
    fix: meant
      ? `Write \`inputs.${meant}\`.`
      : `Declare it under \`inputs:\`${inputs.size ? `; declared are: ${listNames(inputs)}` : ''}.`,
  }
}

function checkStep(id: string | number | undefined, keys: Reference['keys'], known: Known): Complaint | undefined {
  if (typeof id !== 'string') {
    return { problem: 'steps is used without the id of one', fix: 'Write the id out, as in `steps.ID.stdout`.' }
  }
  const step = known.earlier.get(id)
  if (!step) return missingStep(id, known)
  const field = keys[1]
  const fields: readonly string[] = step.fansOut ? fanOutFields : singleFields
  if (typeof field !== 'string') {
    return {
      problem: `steps.${id} is used without saying what of it`,
      fix: `Write one of: ${fields.map((f) => `steps.${id}.${f}`).join(', ')}.`,
    }
  }
  if (fields.includes(field)) return undefined
  if (step.fansOut && (singleFields as readonly string[]).includes(field)) {
    return {
      problem: `step ${id} has a unit for each item, so it has no single ${field}`,
      fix: `Use the list \`steps.${id}.results\`, whose entries have item, host, state, exit_code and stdout.`,
    }
  }
  const meant = nearest(field, fields)
  return {
    problem: `a step has no "${field}"`,
    fix: meant ? `Write \`steps.${id}.${meant}\`.` : `A step has: ${fields.join(', ')}.`,
  }
}

function missingStep(id: string, { steps, step, earlier }: Known): Complaint {
  if (id === step)
    return { problem: 'a step cannot use its own result', fix: 'Use an earlier step, or move this use to a later one.' }
  if (steps.has(id)) return { problem: `step ${id} runs later than this one`, fix: `Move the step ${id} above ${step}.` }
  const hyphenated = [...earlier.keys()].find((other) => other.startsWith(`${id}-`))
  if (hyphenated) {
    return {
      problem: `there is no step "${id}"`,
      fix: `In CEL, "-" subtracts: write \`steps["${hyphenated}"]\`, or name the step with "_".`,
    }
  }
  const meant = nearest(id, earlier.keys())
  const fix = earlier.size === 0 ? 'This is the first step: use `inputs`.' : `The steps above are: ${listNames(earlier.keys())}.`
  return { problem: `there is no step "${id}"`, fix: meant ? `Write \`steps.${meant}\`.` : fix }
}

function oneOf(root: string, name: string | number | undefined, fields: readonly string[], depth: number): Complaint | undefined {
  if (depth === 1 && typeof name === 'string' && fields.includes(name)) return undefined
  return {
    problem: `${root} has no such field`,
    fix: `Write one of: ${fields.map((field) => `${root}.${field}`).join(', ')}.`,
  }
}

function outsideUnit(root: string): Complaint {
  return {
    problem: `there is no ${root} here`,
    fix: 'Only run, host, cwd and env of a step with `for_each` have it: add `for_each`, or use `inputs` and `steps`.',
  }
}

function unknownRoot(root: string, { inUnit }: Known): Complaint {
  const roots = ['inputs', 'steps', 'run', ...(inUnit ? ['item', 'loop'] : [])]
  const meant = nearest(root, roots)
  return {
    problem: `there is no variable "${root}"`,
    fix: meant ? `Write \`${meant}\`.` : `The variables are: ${roots.join(', ')}.`,
  }
}
