// Writes the catalogue of errors into docs/errors.md, between its two markers: `node scripts/error-table.ts`.

import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { catalogue } from '../src/contract/errors.ts'
import { root } from './files.ts'

const opening = '<!-- the catalogue, written by scripts/error-table.ts -->'
const closing = '<!-- end of the catalogue -->'

/** The table with its markers, as the document must hold it. */
export function errorBlock(): string {
  return [opening, '| code | status | exit | retry | sentence | hint |', '|---|---|---|---|---|---|', ...rows(), closing].join(
    '\n',
  )
}

function rows(): string[] {
  return Object.entries(catalogue).map(
    ([code, { status, exit, retryable, sentence, hint }]) =>
      `| \`${code}\` | ${status} | ${exit} | ${retryable ? 'yes' : 'no'} | ${filled(sentence)} | ${filled(hint)} |`,
  )
}

/** The sentence with the names of its parameters where their values go. */
function filled(say: (parameters: never) => string): string {
  const named = new Proxy({}, { get: (_target, name) => `‹${String(name)}›` })
  return say(named as never).replaceAll('|', '\\|')
}

if (import.meta.main) {
  const file = join(root, 'docs/errors.md')
  const [before, rest] = readFileSync(file, 'utf8').split(opening)
  const after = rest?.split(closing)[1]
  if (before === undefined || after === undefined) throw new Error(`${file} has lost its markers: ${opening} and ${closing}`)
  writeFileSync(file, before + errorBlock() + after)
}
