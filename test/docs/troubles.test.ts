// Holds the tables of troubles to the product: what they quote is said somewhere in the sources.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { errorBlock } from '../../scripts/error-table.ts'
import { filesBelow, root } from '../../scripts/files.ts'

const values = /‹[^›]*›|\$\{(?:[^{}]|\{[^{}]*\})*\}/g
const said = [errorBlock(), ...filesBelow('src', '.ts').map((file) => readFileSync(join(root, file), 'utf8'))]
  .map((text) => text.replace(/\\`/g, '`').replace(values, '…'))
  .join('\n')

test.each(filesBelow('docs/connectors', '.md').flatMap(troubles))('%s quotes what Muster says: %s', (_page, sentence) => {
  expect(unsaid(sentence)).toEqual([])
})

test('what nobody says is found out', () => {
  expect(unsaid('The moon … is not … green')).not.toEqual([])
})

/** The quotes in the first column under the heading "Troubles". */
function troubles(page: string): [string, string][] {
  const [, section = ''] = readFileSync(join(root, page), 'utf8').split('\n## Troubles\n')
  return [...section.matchAll(/^\| (.*?) \|/gm)].flatMap(([, cell = '']) =>
    [...cell.matchAll(/`([^`]+)`/g)]
      .map(([, quote = '']) => quote)
      .filter((quote) => !quote.startsWith('muster ') && !quote.includes('/'))
      .map((quote): [string, string] => [page, quote]),
  )
}

/** What of a sentence is in no source; what differs each time stands between the parts. */
function unsaid(sentence: string): string[] {
  return sentence
    .split(/…|\.\.\./)
    .map((part) => part.trim())
    .filter((part) => part.length > 2 && !said.includes(part))
}
