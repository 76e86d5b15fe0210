import { expect, test } from 'vitest'
import { compileSchema, plainPart } from './json-schema.ts'

const text = { type: 'string' }
const object = { type: 'object', properties: { a: text }, required: ['a'], additionalProperties: false }

test('says where and what', async () => {
  const check = await compileSchema(object)
  expect(check({ a: 'x' })).toBeUndefined()
  expect(check({ a: 1 })).toBe('a must be string')
  expect(check({})).toBe("it must have required property 'a'")
  expect(check({ a: 'x', b: 1 })).toBe('it must NOT have additional properties (b)')
  expect(check('x')).toBe('it must be object')
})

test.each([
  ['leads to another document', { $ref: 'https://example.org/schema.json' }],
  ['has a keyword that there is not', { type: 'object', propertys: {} }],
  ['has a type that there is not', { type: 'text' }],
  ['has a regular expression that is none', { type: 'string', pattern: '(' }],
  ['takes the name of the meta-schema', { $id: 'https://json-schema.org/draft/2020-12/schema#', type: 'object' }],
  ['is too large', { type: 'string', description: 'x'.repeat(20_000) }],
])('a schema that %s cannot be used', async (_what, schema) => {
  await expect(compileSchema(schema)).rejects.toThrow(/./)
  // And leaves the others usable.
  expect((await compileSchema({ ...object }))({ a: 'x' })).toBeUndefined()
})

test('one that was compiled is kept by nobody', async () => {
  const schema = { ...object, $id: 'https://example.org/one' }
  await compileSchema(schema)
  expect((await compileSchema({ ...schema, required: [] }))({})).toBeUndefined()
})

test('of a schema whose author is not trusted, what is plain is checked', async () => {
  const plain = plainPart({ ...object, properties: { a: { type: 'string', pattern: '^(a+)+$' } } })
  expect(plain).toEqual(object)
  const check = await compileSchema(plain as Record<string, unknown>)
  const begunMs = performance.now()
  expect(check({ a: `${'a'.repeat(40)}!` })).toBeUndefined()
  expect(check({ a: 1 })).toBe('a must be string')
  expect(performance.now() - begunMs).toBeLessThan(5_000)
})

test.each([
  ['not', { not: { pattern: 'x' } }],
  ['oneOf', { oneOf: [text, { type: 'string', pattern: 'x' }] }],
  ['if', { if: { pattern: 'x' }, else: false }],
  ['$ref', { $defs: { a: text }, $ref: '#/$defs/a' }],
  ['patternProperties', { patternProperties: { x: false } }],
  ['contains', { contains: { pattern: 'x' }, maxContains: 1 }],
  ['deeper down', { type: 'object', properties: { a: { anyOf: [text, { not: text }] } } }],
])('a schema with %s is left to the host: leaving a part out could refuse what the whole takes', (_what, schema) => {
  expect(plainPart(schema)).toBeUndefined()
})

test('a property of any name stays one', () => {
  const schema = JSON.parse('{"type":"object","properties":{"__proto__":{"type":"string"},"pattern":{"type":"string"}}}')
  expect(JSON.stringify(plainPart(schema))).toBe(JSON.stringify(schema))
})
