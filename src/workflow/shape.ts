// The shape of a workflow file, field by field, as zod: the checker parses with it, and schemas/workflow.schema.json, which
// editors complete from, is generated from it. What fields mean together is checked in check.ts.

import { z } from 'zod'
import { durationPattern, longestMs } from './duration.ts'
import { limits } from './limits.ts'
import { inputTypes } from './plan.ts'

/** Text in an argument or variable; numbers and booleans count as written. */
const Text = z.union([z.string(), z.number(), z.boolean()])

const Duration = z
  .union([
    z
      .number()
      .positive()
      .max(longestMs / 1000),
    z.string().regex(durationPattern),
  ])
  .meta({ description: 'Seconds, or a number with s, m, h or d: 90, "90s", "10m", "2h". At most 30 days.' })

const ContinueOnError = z
  .boolean()
  .meta({ description: 'A failed unit does not fail its step; it is listed in steps.ID.failed.' })

export const InputShape = z.strictObject({
  type: z.enum(inputTypes).meta({ description: 'Default: string.' }).optional(),
  required: z.boolean().meta({ description: 'Must be given. Not together with `default`.' }).optional(),
  default: z.union([z.string(), z.number(), z.boolean(), z.array(z.unknown())]).optional(),
  enum: z
    .array(z.union([z.string(), z.number(), z.boolean()]))
    .min(1)
    .meta({ description: 'The only values allowed; for a list, its only members.' })
    .optional(),
  description: z.string().optional(),
})
export type InputShape = z.output<typeof InputShape>

const stepIdPattern = /^[a-z][a-z0-9_-]*$/

export const StepShape = z
  .strictObject({
    id: z
      .string()
      .regex(stepIdPattern)
      .max(limits.stepIdChars)
      .meta({ description: 'Unique in the file; later steps refer to it as steps.ID.' }),
    name: z.string().min(1).max(200).meta({ description: 'Shown to people instead of the id.' }).optional(),
    run: z
      .array(Text)
      .min(1)
      .max(limits.argv)
      .meta({ description: 'Program and arguments, as a list; no shell reads them. Templates allowed.' })
      .optional(),
    shell: z
      .string()
      .min(1)
      .meta({ description: 'A line for /bin/sh. No templates: pass values by `env` and write "$NAME".' })
      .optional(),
    when: z
      .union([z.string().min(1).max(4096), z.boolean()])
      .meta({ description: 'A CEL expression; the step is skipped where it is false. Decided once, before the items.' })
      .optional(),
    for_each: z
      .union([z.string(), z.array(z.unknown()).max(limits.items)])
      .meta({ description: 'One unit for each item: a list, or a template that gives a list or lines. Templates allowed.' })
      .optional(),
    distribute: z
      .strictObject({
        hosts: z
          .union([z.string().min(1), z.array(Text).min(1).max(limits.hosts)])
          .meta({ description: 'Host names, taken in turn; a template may give a list. Templates allowed.' }),
      })
      .meta({ description: 'Spreads the units of for_each over hosts, in turn.' })
      .optional(),
    max_parallel: z
      .int()
      .min(1)
      .max(limits.parallel)
      .meta({ description: 'Units at once. Default: twice the hosts of `distribute`, or 4.' })
      .optional(),
    continue_on_error: ContinueOnError.optional(),
    host: Text.meta({ description: 'The host to run on. Templates allowed.' }).optional(),
    cwd: z.string().min(1).meta({ description: 'Working directory on the host. Templates allowed.' }).optional(),
    env: z
      .record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/), Text)
      .meta({ description: 'Variables for the command. Templates allowed in the values.' })
      .optional(),
    artifacts: z
      .array(Text)
      .max(limits.artifacts)
      .meta({ description: "Files to keep with each unit's run: globs from its working directory on. Templates allowed." })
      .optional(),
    timeout: Duration.optional(),
  })
  .meta({ oneOf: [{ required: ['run'] }, { required: ['shell'] }] })
export type StepShape = z.output<typeof StepShape>

export const DefaultsShape = z
  .strictObject({
    continue_on_error: ContinueOnError.optional(),
    timeout: Duration.optional(),
  })
  .meta({ description: 'What steps have that do not say otherwise.' })
export type DefaultsShape = z.output<typeof DefaultsShape>

const inputNamePattern = /^[A-Za-z][A-Za-z0-9_]*$/

export const WorkflowShape = z.strictObject({
  name: z.string().min(1).max(200).meta({ description: 'Shown in lists of runs.' }),
  description: z.string().optional(),
  inputs: z
    .record(z.string().regex(inputNamePattern).max(64), InputShape)
    .meta({ description: 'What is given with --input NAME=VALUE; {{ inputs.NAME }} in templates.' })
    .optional(),
  defaults: DefaultsShape.optional(),
  steps: z.array(StepShape).min(1).max(limits.steps).meta({ description: 'Run one after another, in this order.' }),
})

/** The JSON Schema of a workflow file, for editors. scripts/write-schemas.ts writes it to schemas/workflow.schema.json. */
export function workflowJsonSchema(): Record<string, unknown> {
  const schema = z.toJSONSchema(WorkflowShape, { target: 'draft-7', io: 'input' })
  return { title: 'Muster workflow', description: 'docs/workflows.md explains each field.', ...schema }
}
