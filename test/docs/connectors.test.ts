// Holds docs/connectors.md to the results of the conformance suite that are kept with it, and those to the table of cases and of
// connectors. The suite's own run beside this one is not looked at: a case that fails there is one failure.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { matrixBlock, readResults } from '../../scripts/connector-matrix.ts'
import { root } from '../../scripts/files.ts'
import { ConnectorConfig } from '../../src/connectors/config.ts'
import { localHost } from '../../src/contract/names.ts'
import { caseGroups } from '../connectors/conformance/cases/table.ts'
import { connectors } from '../connectors/conformance/connectors.ts'
import { differenceOf } from '../connectors/conformance/difference.ts'
import type { Conforming } from '../connectors/conformance/fixture.ts'

const remedy = 'else: npm run conformance'
const kinds = [localHost, ...ConnectorConfig.options.map(({ shape }) => shape.kind.value)]

test(`the matrix is what the suite found (${remedy})`, () => {
  expect(readFileSync(join(root, 'docs/connectors.md'), 'utf8')).toContain(matrixBlock())
})

test(`every connector there is was put to the suite (${remedy})`, () => {
  expect(
    readResults()
      .map(({ kind }) => kind)
      .toSorted(),
  ).toEqual(kinds.toSorted())
})

test('no two cases have one name, and there are a hundred at least', () => {
  const names = caseGroups.flatMap(({ title, cases }) => cases.map(({ name }) => `${title}: ${name}`))
  expect(new Set(names).size).toBe(names.length)
  expect(names.length).toBeGreaterThanOrEqual(100)
})

describe.each(readResults())('$kind', ({ kind, groups }) => {
  test(`was put to every case of the table (${remedy})`, () => {
    const names = (table: readonly { title: string; cases: readonly { name: string }[] }[]) =>
      table.map(({ title, cases }) => ({ title, cases: cases.map(({ name }) => name) }))
    expect(names(groups)).toEqual(names(caseGroups))
  })

  test('passed every case but those that a declared difference rules out', () => {
    const conforming = connectors.find((one) => one.kind === kind) as Conforming
    const expected = caseGroups.flatMap(({ cases }) =>
      cases.map((one) => {
        const reason = differenceOf(one, conforming)
        return { name: one.name, ...(reason === undefined ? { result: 'passed' } : { result: 'skipped', reason }) }
      }),
    )
    expect(groups.flatMap(({ cases }) => cases)).toEqual(expected)
  })
})
