// Holds the tables of figures in the documents to the run that they come from.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { documentTables } from '../../bench/document-tables.ts'
import { root } from '../../scripts/files.ts'

test.each(Object.entries(documentTables()))(
  '%s says what bench/results.json says (else: node bench/document-tables.ts)',
  (name, block) => {
    expect(readFileSync(join(root, name), 'utf8')).toContain(block)
  },
)
