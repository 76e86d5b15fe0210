// A command's parameters in a few words: `argv[], cwd?, timeoutMs?:integer`. Text is not named, for most parameters are.

import type { JsonSchema } from '../contract/json-schema.ts'

const marks: Readonly<Record<string, string>> = { array: '[]', object: '{}', string: '' }

export function signatureOf({ properties, required }: JsonSchema): string {
  if (!isRecord(properties)) return ''
  const wanted = new Set(Array.isArray(required) ? required : [])
  return Object.entries(properties)
    .sort(([a], [b]) => Number(wanted.has(b)) - Number(wanted.has(a)))
    .map(([name, schema]) => `${name}${typeMark(schema)}${wanted.has(name) ? '' : '?'}`)
    .join(',')
}

function typeMark(schema: unknown): string {
  if (!isRecord(schema)) return ''
  if (Array.isArray(schema.enum)) return `:${schema.enum.slice(0, 6).join('|')}`
  const { type } = schema
  return typeof type === 'string' ? (marks[type] ?? `:${type}`) : ''
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
