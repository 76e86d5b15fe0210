// A command's parameters in a few words: `argv[], cwd?, timeoutMs?:integer`. Text is not named, for most parameters are.

import type { JsonSchema } from '../contract/json-schema.ts'
import { oneLine } from './words.ts'

/** A host may call them anything. */
const longestName = 60
/** The rest is in the schema. */
const mostNamed = 100
const longestSignature = 800
const marks: Readonly<Record<string, string>> = { array: '[]', object: '{}', string: '' }

/** A host's catalog is read for each page on which it stands. */
const known = new WeakMap<JsonSchema, string>()

export function signatureOf(schema: JsonSchema): string {
  const signature = known.get(schema) ?? makeSignature(schema)
  known.set(schema, signature)
  return signature
}

function makeSignature({ properties, required }: JsonSchema): string {
  if (!isRecord(properties)) return ''
  const wanted = new Set(Array.isArray(required) ? required : [])
  const named = Object.entries(properties)
    .sort(([a], [b]) => Number(wanted.has(b)) - Number(wanted.has(a)))
    .slice(0, mostNamed)
    .map(([name, schema]) => `${oneLine(name, longestName)}${typeMark(schema)}${wanted.has(name) ? '' : '?'}`)
  return oneLine(named.join(','), longestSignature)
}

function typeMark(schema: unknown): string {
  if (!isRecord(schema)) return ''
  if (Array.isArray(schema.enum)) return `:${oneLine(schema.enum.slice(0, 6).join('|'), 2 * longestName)}`
  const { type } = schema
  return typeof type === 'string' ? (marks[type] ?? `:${oneLine(type, longestName)}`) : ''
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
