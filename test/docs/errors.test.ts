// Holds docs/errors.md and the catalogue together: no code without a row, no row without a code, no sentence that has changed.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { errorBlock } from '../../scripts/error-table.ts'
import { root } from '../../scripts/files.ts'
import { catalogue } from '../../src/contract/errors.ts'
import { hostOperations, hubOperations } from '../../src/contract/operations.ts'

const document = readFileSync(join(root, 'docs/errors.md'), 'utf8')

test('the document holds the catalogue as it is (else: node scripts/error-table.ts)', () => {
  expect(document).toContain(errorBlock())
})

test('its prose names no other code', () => {
  const named = [...document.replace(errorBlock(), '').matchAll(/`([a-z]+\.[a-z_]+)`/g)].map(([, code = '']) => code)
  expect(named.filter((code) => !Object.hasOwn(catalogue, code))).toEqual([])
})

describe.each(Object.entries(catalogue))('%s', (_code, { status, retryable, sentence, hint }) => {
  const parameters = new Proxy({}, { get: () => 'x' }) as never

  test('has a status that HTTP can answer, and is retryable only where waiting may help', () => {
    expect(status).toBeGreaterThanOrEqual(400)
    expect(status).toBeLessThan(600)
    if (retryable) expect([409, 429, 500, 503, 504]).toContain(status)
  })

  test('says one sentence and what to do next', () => {
    expect(sentence(parameters)).toMatch(/\S$/)
    expect(hint(parameters)).toMatch(/\S$/)
    expect(sentence(parameters)).not.toMatch(/undefined|\[object/)
  })
})

test('operations name only errors that there are', () => {
  const named = [...hubOperations, ...hostOperations].flatMap(({ errors }) => errors)
  expect(named.filter((code) => !Object.hasOwn(catalogue, code))).toEqual([])
})
