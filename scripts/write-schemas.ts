// Writes schemas/workflow.schema.json, which editors complete and check workflow files with: `node scripts/write-schemas.ts`.
// src/workflow/shape.test.ts fails when the committed file is not what this writes.

import { writeFileSync } from 'node:fs'
import { workflowJsonSchema } from '../src/workflow/shape.ts'

const file = new URL('../schemas/workflow.schema.json', import.meta.url)
writeFileSync(file, `${JSON.stringify(workflowJsonSchema(), null, 2)}\n`)
