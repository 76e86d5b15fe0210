// A contract schema as JSON Schema 2020-12, for the API document.

import { z } from 'zod'

/** `io`: what may be sent (defaults may be left out), or what is answered. */
export function jsonSchemaOf(schema: z.ZodType, io: 'input' | 'output'): Record<string, unknown> {
  const {
    $schema: _dialect,
    '~standard': _standard,
    ...json
  } = z.toJSONSchema(schema, {
    io,
    unrepresentable: 'any',
    override({ zodSchema, jsonSchema }) {
      // A normalised text (HostName) is answered in the shape in which it may be sent.
      const { def } = zodSchema._zod
      if (io === 'output' && def.type === 'pipe' && def.out._zod.def.type === 'transform') {
        Object.assign(jsonSchema, jsonSchemaOf(def.in as z.ZodType, 'input'))
      }
    },
  }) as Record<string, unknown>
  return json
}
