import { expect, test } from 'vitest'
import { LabelTest, passes } from './label-test.ts'

const labels = { zone: 'eu-1', gpu: 'true', empty: '', 'a=b': 'never' }

test.each([
  [['zone=eu-1'], true],
  [['zone=eu'], false],
  [['zone!=eu'], true],
  [['zone!=eu-1'], false],
  [['gpu'], true],
  [['!gpu'], false],
  [['!fpga'], true],
  [['fpga!=true'], true],
  [['empty='], true],
  [['zone=eu-1', 'gpu=true'], true],
  [['zone=eu-1', 'gpu=false'], false],
  [[], true],
] as const)('%j is %s', (tests, expected) => {
  for (const one of tests) expect(LabelTest.parse(one)).toBe(one)
  expect(passes(labels, tests)).toBe(expected)
})

test.each(['', '=x', '!', '!gpu=true', 'a b=1', '-x=1', '__proto__x y'])('%j asks for nothing', (test) => {
  expect(LabelTest.safeParse(test).success).toBe(false)
})

test("a label of every object is nobody's", () => {
  expect(passes({}, ['constructor'])).toBe(false)
  expect(passes({}, ['toString!=x'])).toBe(true)
})
