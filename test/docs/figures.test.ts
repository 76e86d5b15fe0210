// Holds the tables of figures in the documents to the run that they come from.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { documentTables } from '../../bench/document-tables.ts'
import { figures } from '../../bench/figures/index.ts'
import { readResults } from '../../bench/results.ts'
import { root } from '../../scripts/files.ts'

test.each(Object.entries(documentTables()))(
  '%s says what bench/results.json says (else: node bench/document-tables.ts)',
  (name, block) => {
    expect(readFileSync(join(root, name), 'utf8')).toContain(block)
  },
)

test('every figure there is was taken (else: npm run bench -- NAME --save)', () => {
  expect(readResults().figures.map(({ name }) => name)).toEqual(figures.map(({ name }) => name))
})
