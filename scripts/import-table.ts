// Writes the enforced import table into docs/architecture.md, between its two markers: `node scripts/import-table.ts`.

import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from './files.ts'
import { layerTable } from './imports/layers.ts'

const opening = '<!-- the import table, written by scripts/import-table.ts -->'
const closing = '<!-- end of the import table -->'

/** The table with its markers, as the document must hold it. */
export function tableBlock(): string {
  return `${opening}\n${layerTable()}\n${closing}`
}

if (import.meta.main) {
  const file = join(root, 'docs/architecture.md')
  const [before, rest] = readFileSync(file, 'utf8').split(opening)
  const after = rest?.split(closing)[1]
  if (before === undefined || after === undefined) throw new Error(`${file} has lost its markers: ${opening} and ${closing}`)
  writeFileSync(file, before + tableBlock() + after)
}
