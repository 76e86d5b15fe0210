import { expect, test } from 'vitest'
import { showFields, showTable } from './table.ts'

const columns = [
  { title: 'NAME', cell: (row: { name: string }) => row.name },
  { title: 'WHAT', cell: (row: { what: string }) => row.what, paint: (text: string) => `<${text}>` },
]
const rows = [
  { name: 'a', what: 'short' },
  { name: 'longer', what: 'x'.repeat(40) },
]

test('columns are aligned and nothing is cut where no screen is', () => {
  expect(showTable(columns, rows, { screen: false, columns: 20, color: false })).toBe(
    `NAME    WHAT\na       short\nlonger  ${'x'.repeat(40)}`,
  )
})

test('on a screen the last column is cut to fit, and cells are painted', () => {
  expect(showTable(columns, rows, { screen: true, columns: 20, color: true })).toBe(
    `NAME    WHAT\na       <short>\nlonger  <${'x'.repeat(11)}…>`,
  )
})

test('a cell cannot break the table or steer the terminal', () => {
  expect(showTable(columns, [{ name: 'a\nb', what: '\x1b[2J' }], { screen: false, columns: 80, color: false })).toBe(
    'NAME    WHAT\na\\x0ab  \\x1b[2J',
  )
})

test('fields that are not known are left out', () => {
  expect(showFields({ host: 'web', since: null, pid: '12' })).toBe('host: web\npid:  12')
})
