import { expect, test } from 'vitest'
import { showBytes } from './byte-size.ts'

test('sizes are short and have their unit', () => {
  expect([0, 1, 1023, 1024, 1536, 104_857_600, 3 * 1024 ** 3, 2 ** 53].map(showBytes)).toEqual([
    '0 B',
    '1 B',
    '1023 B',
    '1.0 KiB',
    '1.5 KiB',
    '100 MiB',
    '3.0 GiB',
    '8192 TiB',
  ])
})
