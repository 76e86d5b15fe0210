// Holds habits that no linter here knows: a file says at its head what it is, and nothing is left for later.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { filesBelow, root } from '../../scripts/files.ts'

const tests = filesBelow('test', '.ts')
const benches = filesBelow('bench', '.ts').filter((file) => !file.includes('/node_modules/'))
const sources = [...filesBelow('src', '.ts'), ...filesBelow('scripts', '.ts'), ...filesBelow('scripts', '.js'), ...benches]
const silenced = /@ts-(ignore|nocheck)|[b]iome-ignore-all/
const unfinished = new RegExp(`\\b(${['TO' + 'DO', 'FIX' + 'ME', 'XX' + 'X', 'HA' + 'CK'].join('|')})\\b`)

function read(file: string): string {
  return readFileSync(join(root, file), 'utf8')
}

test('every source file opens with a comment that says what it is', () => {
  expect(sources.filter((file) => !file.endsWith('.test.ts')).filter((file) => !read(file).startsWith('// '))).toEqual([])
})

test('nothing is marked as to be done later', () => {
  expect([...sources, ...tests].filter((file) => unfinished.test(read(file)))).toEqual([])
})

test('no check is switched off for a whole file, and no type error is silenced', () => {
  expect([...sources, ...tests].filter((file) => silenced.test(read(file)))).toEqual([])
})
