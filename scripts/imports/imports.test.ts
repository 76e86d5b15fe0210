// The import check must see every kind of import and every kind of break, or it is worth nothing.

import { expect, test } from 'vitest'
import { importsOf } from './graph.ts'
import { layers } from './layers.ts'
import { cycles, importProblems } from './rules.ts'

const folders = Object.keys(layers)

function problemsOf(tree: Record<string, string[]>): string[] {
  return importProblems(graphOf(tree), folders)
}

function graphOf(tree: Record<string, string[]>) {
  const entries = Object.entries(tree)
  return new Map(entries.map(([file, targets]) => [file, targets.map((target) => ({ target, isOurs: target in tree }))]))
}

test('every kind of import is seen: of values, of types, re-exported, awaited, inside a type', () => {
  const source = `
    import { a } from './a.ts'
    import type { B } from '../b.ts'
    import { type C } from './c.ts'
    import './d.ts'
    export * from './e.ts'
    export type { F } from './f.ts'
    const g = () => import('./g.ts')
    type H = import('./h.ts').H
    import { sub } from '@scope/package/sub'
    import fs from 'node:fs'
  `
  expect(
    importsOf('src/hub/x.ts', source)
      .map(({ target }) => target)
      .sort(),
  ).toEqual([
    '@scope/package',
    'node:fs',
    'src/b.ts',
    'src/hub/a.ts',
    'src/hub/c.ts',
    'src/hub/d.ts',
    'src/hub/e.ts',
    'src/hub/f.ts',
    'src/hub/g.ts',
    'src/hub/h.ts',
  ])
})

test('an import that cannot be followed is refused', () => {
  expect(() => importsOf('src/hub/x.ts', 'const load = (name) => import(name)')).toThrow('computed')
})

test('what the table allows is no problem', () => {
  expect(
    problemsOf({
      'src/contract/run.ts': [],
      'src/wire/peer.ts': ['src/contract/run.ts'],
      'src/cli/up.ts': ['src/hub/hub.ts'],
      'src/hub/hub.ts': ['src/connectors/table.ts'],
      'src/connectors/table.ts': [],
    }),
  ).toEqual([])
})

test.each([
  ['against the direction', 'src/contract/run.ts', 'src/wire/peer.ts'],
  ['past an entry point', 'src/cli/up.ts', 'src/hub/queue.ts'],
  ['of a test', 'src/wire/peer.ts', 'src/wire/peer.test.ts'],
  ['of a carrier by name', 'src/hub/hub.ts', 'src/connectors/tunnel/connector.ts'],
  ['of one carrier by another', 'src/connectors/local/connector.ts', 'src/connectors/tunnel/connector.ts'],
  ['of a package that another layer owns', 'src/hub/hub.ts', 'kysely'],
])('an import %s is a problem', (_, file, target) => {
  const problems = problemsOf({ [file]: [target], ...(target.startsWith('src/') && { [target]: [] }) })
  expect(problems).toEqual([expect.stringContaining(file)])
})

test('a test may import what it likes', () => {
  expect(problemsOf({ 'src/contract/run.test.ts': ['src/hub/hub.ts', 'kysely'], 'src/hub/hub.ts': [] })).toEqual([])
})

test('a circle is found, whatever its length, and shared parts are not mistaken for one', () => {
  expect(cycles(graphOf({ a: ['b', 'c'], b: ['d'], c: ['d'], d: [] }))).toEqual([])
  expect(cycles(graphOf({ a: ['b'], b: ['c'], c: ['a'] }))).toEqual([['a', 'b', 'c']])
  expect(cycles(graphOf({ a: ['a'] }))).toEqual([['a']])
})

test('a folder without a row, and a row without a folder, are problems', () => {
  expect(importProblems(new Map(), [...folders, 'drawer'])).toEqual([expect.stringContaining('src/drawer/')])
  expect(importProblems(new Map(), folders.slice(1))).toEqual([expect.stringContaining('src/contract/')])
})
