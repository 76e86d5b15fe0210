import fc from 'fast-check'
import { expect, test } from 'vitest'
import { canonicalJson } from './canonical.ts'

/** Every object anew, its keys in the order that `arrange` gives them. */
function rebuilt(value: unknown, arrange: (keys: string[]) => string[]): unknown {
  if (Array.isArray(value)) return value.map((one) => rebuilt(one, arrange))
  if (value === null || typeof value !== 'object') return value
  const known = value as Record<string, unknown>
  return Object.fromEntries(arrange(Object.keys(known)).map((key) => [key, rebuilt(known[key], arrange)]))
}

const sorted = (keys: string[]) => keys.toSorted((a, b) => (a < b ? -1 : 1))

test('the text is that of the value with its keys in order, however they were written', () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 4 }), (value) => {
      const text = JSON.stringify(rebuilt(value, sorted))
      for (const arrange of [(keys: string[]) => keys, sorted, (keys: string[]) => sorted(keys).reverse()])
        expect(canonicalJson(rebuilt(value, arrange))).toBe(text)
    }),
    { numRuns: 2_000 },
  )
})

test.each([
  ['keys that look like numbers', { b: 1, 10: 2, 9: 3 }, '{"9":3,"10":2,"b":1}'],
  [
    'a key that is the name of the prototype',
    JSON.parse('{"z":1,"__proto__":{"b":1,"a":2}}'),
    '{"__proto__":{"a":2,"b":1},"z":1}',
  ],
  ['an empty key, and what is undefined', { a: undefined, '': [undefined] }, '{"":[null]}'],
])('%s', (_, value, text) => {
  expect(canonicalJson(value)).toBe(text)
})
