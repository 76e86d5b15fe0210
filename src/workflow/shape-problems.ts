// What the shape of a workflow file forbids, in sentences: a field that is missing, unknown, or of the wrong kind.

import type { z } from 'zod'
import { fixFor } from './fixes.ts'
import { listNames, nearest, type Problem, quote } from './problem.ts'
import { DefaultsShape, InputShape, StepShape, WorkflowShape } from './shape.ts'
import { keyOffsetAt, locatedAt, offsetAt, type Path, type YamlFile } from './yaml.ts'

export function shapeProblems(yaml: YamlFile, issues: readonly z.core.$ZodIssue[]): Problem[] {
  const keysOf = ({ path }: z.core.$ZodIssue) => path.map((key) => (typeof key === 'symbol' ? String(key) : key))
  const misspelt = new Set(issues.filter((issue) => issue.code === 'unrecognized_keys').map((issue) => keysOf(issue).join('.')))
  return issues.flatMap((issue): Problem[] => {
    const path = keysOf(issue)
    if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => unknownField(yaml, path, key))
    if (issue.code === 'invalid_key') {
      const key = String(path.at(-1))
      const around = path.slice(0, -1)
      return [{ offset: keyOffsetAt(yaml, around, key), problem: `${quote(key)} cannot be a name here`, fix: fixFor(around) }]
    }
    const located = locatedAt(yaml, path)
    // What seems to be missing is most likely the field whose name is wrong.
    if (!located && misspelt.has(path.slice(0, -1).join('.'))) return []
    const field = path.length === 0 ? 'the file' : fieldName(path)
    const problem = located ? `${field} cannot be ${describe(located.value)}` : `${field} is missing`
    return [{ offset: offsetAt(yaml, path), problem, fix: fixFor(path) }]
  })
}

function unknownField(yaml: YamlFile, path: Path, key: string): Problem {
  const [top] = path
  const shape = path.length === 0 ? WorkflowShape : top === 'defaults' ? DefaultsShape : top === 'inputs' ? InputShape : StepShape
  const known = path.at(-1) === 'distribute' ? ['hosts'] : Object.keys(shape.shape)
  const elsewhere = otherSystems.get(key.toLowerCase())
  const meant = elsewhere !== undefined && known.includes(elsewhere) ? elsewhere : nearest(key, known)
  const fix = meant !== undefined ? `Write \`${meant}\`.` : `Remove it; known here are: ${listNames(known)}.`
  return { offset: keyOffsetAt(yaml, path, key), problem: `there is no field ${quote(key)}`, fix }
}

/** What other systems call our fields, where the spelling alone would not find them. */
const otherSystems: ReadonlyMap<string, string> = new Map(
  Object.entries({
    if: 'when',
    condition: 'when',
    command: 'run',
    cmd: 'run',
    argv: 'run',
    script: 'shell',
    with_items: 'for_each',
    loop: 'for_each',
    matrix: 'for_each',
    items: 'for_each',
    parallel: 'max_parallel',
    concurrency: 'max_parallel',
    environment: 'env',
    dir: 'cwd',
    working_directory: 'cwd',
    workdir: 'cwd',
    runs_on: 'host',
    'runs-on': 'host',
    machine: 'host',
    ignore_errors: 'continue_on_error',
    hosts: 'distribute',
    title: 'name',
    params: 'inputs',
    parameters: 'inputs',
    jobs: 'steps',
    tasks: 'steps',
    options: 'enum',
  }),
)

/** A field as it is called in a sentence. */
export function fieldName(path: Path): string {
  const names = path.filter((key) => typeof key === 'string')
  const last = path.at(-1)
  const [top, second] = path
  if (top === 'steps' && typeof second === 'number' && path.length === 2) return `step ${second + 1}`
  return typeof last === 'number' ? `entry ${last + 1} of \`${names.at(-1)}\`` : `\`${names.at(-1)}\``
}

function describe(value: unknown): string {
  if (value === null) return 'empty'
  if (typeof value === 'string') return value === '' ? 'an empty text' : `the text ${quote(value)}`
  if (typeof value === 'number' || typeof value === 'boolean') return String(value)
  if (Array.isArray(value))
    return value.length === 0 ? 'an empty list' : value.length > 100 ? `a list of ${value.length}` : 'this list'
  return 'a set of fields'
}
