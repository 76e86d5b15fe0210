// The checked plan of a workflow: what checkWorkflow makes of the YAML text and executeWorkflow runs.
// Nothing in it can be invalid any more; it knows neither YAML nor hosts.

import type { Condition } from './condition.ts'
import type { Template, TemplateTree } from './template.ts'

export const inputTypes = ['string', 'integer', 'boolean', 'list'] as const
type InputType = (typeof inputTypes)[number]

export interface PlannedInput {
  readonly name: string
  readonly type: InputType
  readonly required: boolean
  readonly default?: unknown
  readonly enum?: readonly unknown[]
  readonly description?: string
}

export interface PlannedStep {
  readonly id: string
  readonly title: string
  readonly when?: Condition
  /** `shell` is never templated: a value put into it could become code. */
  readonly action:
    | { readonly kind: 'run'; readonly argv: readonly Template[] }
    | { readonly kind: 'shell'; readonly line: string }
  readonly forEach?: TemplateTree
  /** Where the units go in turn; only with forEach. */
  readonly distribute?: readonly Template[]
  readonly host?: Template
  readonly cwd?: Template
  readonly env: readonly (readonly [name: string, value: Template])[]
  readonly artifacts?: readonly Template[]
  readonly maxParallel?: number
  readonly continueOnError: boolean
  readonly timeoutMs?: number
}

export interface Plan {
  readonly file: string
  readonly name: string
  readonly description?: string
  readonly inputs: readonly PlannedInput[]
  readonly steps: readonly PlannedStep[]
}
