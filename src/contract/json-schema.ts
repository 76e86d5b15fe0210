// JSON Schema 2020-12 of commands: compiled by whoever invokes and by whoever is asked. Knows no command and reads no other document:
// a `$ref` that leads out of its schema makes it unusable. `format` is a note and checks nothing.

import type { Ajv2020 } from 'ajv/dist/2020.js'

/** Says what is wrong with a value; undefined when nothing is. */
export type ValueCheck = (value: unknown) => string | undefined

export type JsonSchema = Readonly<Record<string, unknown>>

/** Larger ones are nobody's parameters, and take long to compile. */
const mostSchemaBytes = 16 * 1024

let compiler: Promise<Ajv2020> | undefined

/** Loaded when the first schema is compiled: most commands of the CLI and most hosts never need it. */
function loadCompiler(): Promise<Ajv2020> {
  compiler ??= import('ajv/dist/2020.js').then(
    ({ Ajv2020 }) =>
      new Ajv2020({
        strictSchema: true,
        strictTypes: false,
        strictTuples: false,
        validateFormats: false,
        addUsedSchema: false,
        logger: false,
      }),
  )
  return compiler
}

/** Throws an Error that says what is wrong with the schema. */
export async function compileSchema(schema: JsonSchema): Promise<ValueCheck> {
  if (Buffer.byteLength(JSON.stringify(schema)) > mostSchemaBytes)
    throw new Error(`it is larger than ${mostSchemaBytes / 1024} KiB`)
  const ajv = await loadCompiler()
  // Forgetting it afterwards would forget the known one with it, and nothing could be compiled any more.
  if (typeof schema.$id === 'string' && ajv.getSchema(schema.$id))
    throw new Error('its "$id" is that of a schema of JSON Schema itself')
  try {
    const check = ajv.compile(schema)
    return (value) => {
      if (check(value)) return undefined
      const [error] = check.errors ?? []
      const { additionalProperty, unevaluatedProperty } = (error?.params ?? {}) as Record<string, unknown>
      const extra = additionalProperty ?? unevaluatedProperty
      return `${error?.instancePath.slice(1).replaceAll('/', '.') || 'it'} ${error?.message ?? 'is not valid'}${extra === undefined ? '' : ` (${String(extra)})`}`
    }
  } finally {
    // It would keep every schema that was ever compiled.
    ajv.removeSchema(schema)
  }
}

/** Keywords under which a schema stays true to itself, if what is left out of it is taken as met. */
const plainKeywords = new Set([
  '$schema',
  '$comment',
  'title',
  'description',
  'default',
  'examples',
  'deprecated',
  'readOnly',
  'writeOnly',
  'format',
  'type',
  'enum',
  'const',
  'required',
  'minItems',
  'maxItems',
  'minLength',
  'maxLength',
  'minimum',
  'maximum',
  'exclusiveMinimum',
  'exclusiveMaximum',
  'multipleOf',
  'minProperties',
  'maxProperties',
])
const oneSchema = new Set(['items', 'additionalProperties', 'propertyNames'])
const manySchemas = new Set(['prefixItems', 'anyOf', 'allOf'])

/** What takes long to compile is not a schema's size but how deep it is nested. */
const deepestPlain = 16

/**
 * What of a schema may be checked by who does not trust its author: no regular expression, which could take for ever, and nothing whose
 * work grows faster than schema and value. Undefined where leaving those out would refuse what the whole schema takes, and for one that
 * is nested too deep.
 */
export function plainPart(schema: unknown, depth = deepestPlain): JsonSchema | boolean | undefined {
  if (typeof schema === 'boolean') return schema
  if (!isObject(schema) || depth === 0) return undefined
  const plain: Record<string, unknown> = {}
  for (const [keyword, value] of Object.entries(schema)) {
    if (keyword === 'pattern') continue
    const part = plainKeywords.has(keyword) ? value : partOf(keyword, value, depth - 1)
    if (part === undefined) return undefined
    plain[keyword] = part
  }
  return plain
}

function partOf(keyword: string, value: unknown, depth: number): unknown {
  if (oneSchema.has(keyword)) return plainPart(value, depth)
  if (manySchemas.has(keyword) && Array.isArray(value)) return all(value.map((one) => plainPart(one, depth)))
  if (keyword !== 'properties' || !isObject(value)) return undefined
  const names = Object.keys(value)
  const parts = all(names.map((name) => plainPart(value[name], depth)))
  return parts && Object.fromEntries(names.map((name, at) => [name, parts[at]]))
}

function all<T>(parts: readonly (T | undefined)[]): T[] | undefined {
  return parts.some((part) => part === undefined) ? undefined : (parts as T[])
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
