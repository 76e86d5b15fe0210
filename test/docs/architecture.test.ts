// Holds docs/architecture.md to the rules that the import check enforces: the table there is written from them.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { root } from '../../scripts/files.ts'
import { tableBlock } from '../../scripts/import-table.ts'

test('the import table is the one that is enforced (else: node scripts/import-table.ts)', () => {
  expect(readFileSync(join(root, 'docs/architecture.md'), 'utf8')).toContain(tableBlock())
})
