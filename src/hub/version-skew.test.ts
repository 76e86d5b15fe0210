import { expect, test } from 'vitest'
import { versionSkew } from './version-skew.ts'

test.each([
  ['1.2.3', '1.2.3', 'same'],
  ['1.2.3', '1.3.0', 'older'],
  ['1.10.0', '1.9.9', 'newer'],
  ['2.0.0', '10.0.0', 'older'],
  ['1.2.3-next', '1.2.3', 'other'],
  ['0.9.0-next', '1.0.0', 'older'],
  ['unversioned', '1.0.0', 'other'],
])('a host of %s beside a hub of %s is %s', (host, hub, expected) => {
  expect(versionSkew(host, hub)).toBe(expected)
})
