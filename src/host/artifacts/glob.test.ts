import { matchesGlob } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseGlob } from './glob.ts'

const matches = (glob: string, path: string) => parseGlob(glob)?.some((one) => one.matches(path.split('/')))

test.each([
  ['out/*.tar', ['out/a.tar', 'out/.tar.tar'], 'out/a.tar'],
  ['out/**', ['out', 'out/a', 'out/b/c', 'out/.d/e', 'x/a'], 'out/a out/b/c'],
  ['**/*.log', ['a.log', 'b/c/d.log', 'b/.c/d.log', 'b.logs'], 'a.log b/c/d.log'],
  ['**/.*', ['.a', 'b/.c', 'b/c', '.d/.e'], '.a b/.c'],
  ['?[a-c][!x]', ['1ay', '1dy', '1cx', 'ay', '.ay'], '1ay'],
  ['{a,b/{c,d}}.*', ['a.x', 'b/c.x', 'b/d.y', 'c.x', 'b/a.x'], 'a.x b/c.x b/d.y'],
  ['[*][{][]][,]', ['*{],', 'x{],'], '*{],'],
  ['{a}{b,', ['{a}{b,', 'ab'], '{a}{b,'],
  ['a(b)@(c)+!', ['a(b)@(c)+!', 'abc'], 'a(b)@(c)+!'],
  ['日?/🙂*', ['日本/🙂', '日本/🙂語', '日本語/🙂'], '日本/🙂 日本/🙂語'],
  ['[', ['[', 'a'], '['],
  ['./a//b', ['a/b'], 'a/b'],
])('%s', (glob, paths, found) => {
  expect(paths.filter((path) => matches(glob, path)).join(' ')).toBe(found)
})

test('it matches what the globs of Node match', () => {
  const piece = fc.constantFrom('a', 'b', '.', '*', '?', '/', '**/', '/**/', '[ab]', '[!a]', '{a,b}', '{a/b,*}', '{.a,}b')
  const glob = fc.array(piece, { minLength: 1, maxLength: 6 }).map((pieces) => pieces.join(''))
  const name = fc.string({ unit: fc.constantFrom('a', 'b', '.', 'c'), minLength: 1, maxLength: 4 })
  const path = fc.array(
    name.filter((one) => one !== '.' && one !== '..'),
    { minLength: 1, maxLength: 4 },
  )
  fc.assert(
    fc.property(glob, fc.array(path, { minLength: 1, maxLength: 20 }), (glob, paths) => {
      // Where a part is empty, "." or "..", the two need not agree: such globs are refused, or read without it.
      const parts = parseGlob(glob)?.length === 1 || glob.includes('{') ? expanded(glob) : []
      fc.pre(parts.every((one) => one.split('/').every((part) => part !== '' && part !== '.' && part !== '..')))
      for (const one of paths)
        expect(matches(glob, one.join('/')), `${glob} on ${one.join('/')}`).toBe(matchesGlob(one.join('/'), glob))
    }),
    { numRuns: 3000 },
  )
})

/** By hand, for the two or three braces that the globs above have. */
function expanded(glob: string): string[] {
  const found = /\{([^{}]*)\}/.exec(glob)
  if (!found) return [glob]
  return (found[1] ?? '')
    .split(',')
    .flatMap((one) => expanded(glob.slice(0, found.index) + one + glob.slice(found.index + found[0].length)))
}

test('no glob and no name hold the host up', () => {
  const name = 'a'.repeat(250)
  const started = performance.now()
  expect(matches(`${'*a'.repeat(500)}b`, name)).toBe(false)
  expect(matches(`${'**/a/'.repeat(200)}b`, Array(500).fill('a').join('/'))).toBe(false)
  expect(matches(`${'+('.repeat(200)}a${')'.repeat(200)}b`, name)).toBe(false)
  expect(matches('[a-z]'.repeat(200), name)).toBe(false)
  expect(parseGlob('{a,b}'.repeat(200))).toBeUndefined()
  expect(parseGlob('{'.repeat(1024))).toHaveLength(1)
  expect(parseGlob('['.repeat(1024))).toHaveLength(1)
  expect(parseGlob('{['.repeat(512))).toHaveLength(1)
  expect(parseGlob('{'.repeat(500) + '{a,b}'.repeat(100))).toBeUndefined()
  // Milliseconds, where an expression that goes back would take years.
  expect(performance.now() - started).toBeLessThan(10_000)
})
