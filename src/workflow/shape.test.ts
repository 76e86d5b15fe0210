import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { fixes } from './fixes.ts'
import { DefaultsShape, InputShape, StepShape, WorkflowShape, workflowJsonSchema } from './shape.ts'

describe('the published schema', () => {
  it('is what the checker uses (run `node scripts/write-schemas.ts` after a change)', () => {
    const committed = readFileSync(new URL('../../schemas/workflow.schema.json', import.meta.url), 'utf8')
    expect(JSON.parse(committed)).toEqual(JSON.parse(JSON.stringify(workflowJsonSchema())))
  })
})

describe('every field', () => {
  const fields = [
    ...Object.keys(WorkflowShape.shape),
    ...Object.keys(InputShape.shape).map((name) => `inputs.*.${name}`),
    ...Object.keys(DefaultsShape.shape).map((name) => `defaults.${name}`),
    ...Object.keys(StepShape.shape).map((name) => `steps.*.${name}`),
  ]

  it('has a sentence that says how to mend it', () => {
    expect(fields.filter((field) => fixes[field] === undefined)).toEqual([])
  })

  it('is explained in docs/workflows.md', () => {
    const docs = readFileSync(new URL('../../docs/workflows.md', import.meta.url), 'utf8')
    expect(fields.map((field) => field.split('.').at(-1) ?? '').filter((name) => !docs.includes(`\`${name}`))).toEqual([])
  })
})
