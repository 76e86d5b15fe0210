import { Validator } from '@seriousme/openapi-schema-validator'
import { expect, test } from 'vitest'
import { catalogue, type ErrorCode } from '../contract/errors.ts'
import { hostOperations, hubOperations } from '../contract/operations.ts'
import { openApiDocument } from './openapi.ts'
import { systemPaths } from './system.ts'

interface Described {
  operationId: string
  parameters?: { name: string; in: string; required: boolean }[]
  responses: Record<string, { description: string }>
}
const document = openApiDocument() as { paths: Record<string, Record<string, Described>> }
const described = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.values(methods).map((one) => ({ path, ...one })),
)

test('is valid OpenAPI 3.1', async () => {
  expect(await new Validator().validate(structuredClone(document) as never)).toEqual({ valid: true })
})

test('describes each operation once, and every other path that is served', () => {
  const ids = described.map(({ operationId }) => operationId)
  expect(new Set(ids).size).toBe(ids.length)
  expect(ids.filter((id) => !id.startsWith('system.')).sort()).toEqual(
    [...hubOperations, ...hostOperations].map(({ name }) => name).sort(),
  )
  expect(Object.keys(document.paths)).toEqual(expect.arrayContaining([...systemPaths]))
})

test.each(described)('$operationId declares each part of its path', ({ path, parameters = [] }) => {
  const inPath = parameters.filter((one) => one.in === 'path')
  expect(inPath.map(({ name }) => name)).toEqual([...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1]))
  expect(inPath.every(({ required }) => required)).toBe(true)
})

test.each([...hubOperations, ...hostOperations])('$name documents its errors at their status', ({ name, errors }) => {
  const { responses } = described.find(({ operationId }) => operationId === name) as Described
  for (const code of [...errors, 'auth.required', 'auth.forbidden', 'input.invalid', 'internal'] satisfies ErrorCode[]) {
    expect(responses[catalogue[code].status]?.description).toContain(`\`${code}\``)
  }
})

test('says what a host name is on the way out as on the way in', () => {
  const text = JSON.stringify(document.paths['/api/v1/hosts/{host}']?.get?.responses['200'])
  expect(text).toContain("A host's name: unique at its hub")
})
