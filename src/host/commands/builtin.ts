// Makes a built-in command of its zod schemas: the JSON Schemas of its catalog entry are theirs.

import { z } from 'zod'
import { failure } from '../../contract/errors.ts'
import { describeIssue } from '../../contract/implementation.ts'
import { frozen, type HostCommand, type Invocation, type Shown } from './command.ts'

interface BuiltIn<P extends z.ZodObject, R extends z.ZodType> {
  readonly name: string
  readonly description: string
  readonly params: P
  readonly result: R
  readonly sensitive?: boolean
  /** What else it depends on than its parameters. */
  readonly shows?: (params: z.output<P>) => Omit<Shown, 'params'>
  readonly run: (params: z.output<P>, invocation: Invocation, shown: Shown) => Promise<z.output<R>>
}

export function builtIn<P extends z.ZodObject, R extends z.ZodType>(of: BuiltIn<P, R>): HostCommand {
  const { name, description, sensitive = false } = of
  return {
    entry: {
      name,
      description,
      params: jsonSchema(of.params, 'input'),
      result: jsonSchema(of.result, 'output'),
      sensitive,
      source: 'builtin',
    },
    prepare(given) {
      const parsed = of.params.safeParse(given)
      if (!parsed.success) throw wrongParams(name, parsed.error.issues.map(describeIssue).join('; '))
      const params = frozen(parsed.data)
      const shown = frozen({ params, ...of.shows?.(params) })
      return { shown, run: (invocation) => of.run(params, invocation, shown) }
    },
  }
}

export function wrongParams(command: string, problem: string) {
  return failure('input.invalid', { what: `what ${command} was given`, problem })
}

function jsonSchema(schema: z.ZodType, io: 'input' | 'output'): Record<string, unknown> {
  const { '~standard': _standard, ...json } = z.toJSONSchema(schema, { io }) as Record<string, unknown>
  return json
}

/** Text that can be an argument, a name of a file or a variable: as it is, to the byte. */
export function plainText(most: number): z.ZodString {
  return z
    .string()
    .max(most)
    .regex(/^[^\0]*$/, 'it holds a NUL byte')
    .refine((text) => text.isWellFormed(), 'it is no Unicode text: it holds half a character')
}
