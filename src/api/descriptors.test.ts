import { expect, test } from 'vitest'
import { descriptorLimit, descriptorShares } from './descriptors.ts'

test.runIf(process.platform === 'linux')('the limit is what the system says', () => {
  expect(descriptorLimit()).toBeGreaterThan(0)
})

test('connections never get all descriptors, and with a high limit nearly all', () => {
  expect(descriptorShares(256)).toEqual({ tcp: 64, local: 48, copies: 22 })
  expect(descriptorShares(20_000)).toEqual({ tcp: 18_976, local: 256, copies: 1667 })
  expect(descriptorShares(undefined)).toEqual({ tcp: Infinity, local: Infinity, copies: Infinity })
})
