import { expect, test } from 'vitest'
import { ArtifactGlob } from '../../contract/artifact.ts'
import { readGlob } from './glob.ts'

const matches = (glob: string, path: string) => readGlob(glob).matches(path.split('/'))

test.each([
  ['out/*.tar', ['out/a.tar', 'out/.tar.tar'], 'out/a.tar'],
  ['out/**', ['out', 'out/a', 'out/b/c', 'out/.d/e', 'x/a'], 'out/a out/b/c'],
  ['**/*.log', ['a.log', 'b/c/d.log', 'b/.c/d.log', 'b.logs'], 'a.log b/c/d.log'],
  ['**/.*', ['.a', 'b/.c', 'b/c', '.d/.e'], '.a b/.c'],
  ['?[a-c][!x]', ['1ay', '1dy', '1cx', 'ay', '.ay'], '1ay'],
  ['{a,b/{c,d}}.*', ['a.x', 'b/c.x', 'b/d.y', 'c.x', 'b/a.x'], 'a.x b/c.x b/d.y'],
  ['[*][{][]][,]', ['*{],', 'x{],'], '*{],'],
  ['日?/🙂*', ['日本/🙂', '日本/🙂語', '日本語/🙂'], '日本/🙂 日本/🙂語'],
  ['[', ['[', 'a'], '['],
  ['./a//b', ['a/b'], 'a/b'],
])('%s', (glob, paths, found) => {
  expect(paths.filter((path) => matches(glob, path)).join(' ')).toBe(found)
})

test('the worst that its schema lets through is matched at once', () => {
  const names = ['a'.repeat(255), Array(400).fill('a').join('/')]
  const worst = ['*a*a*b', '**/a/**/a/**/b', '{a,b}{a,b}{a,b}{a,b}*a*b', `${'[a-z]'.repeat(200)}`]
  const started = performance.now()
  for (const glob of worst) {
    expect(ArtifactGlob.safeParse(glob).success).toBe(true)
    for (const name of names) expect(matches(glob, name)).toBe(false)
  }
  // Milliseconds; an expression that goes back without a limit would take years.
  expect(performance.now() - started).toBeLessThan(10_000)
})

test.each(['*a*a*a*b', '**/a/**/a/**/a/**/b', '{a,b}'.repeat(5), '+(a+(b))'])('%s is too much', (glob) => {
  expect(ArtifactGlob.safeParse(glob).success).toBe(false)
})
