import fc from 'fast-check'
import { expect, test } from 'vitest'
import { printable, shorten } from './printable.ts'

test('control characters and those that reorder text are written out', () => {
  expect(printable('a\x1b[31mb\tc\r\n\u009b\u202ed')).toBe('a\\x1b[31mb\\x09c\\x0d\\x0a\\x9b\\u202ed')
})

test('whatever comes in, nothing that steers a terminal goes out', () => {
  const steering = /[\u0000-\u001f\u007f-\u009f]/
  fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => !steering.test(printable(text))))
})

test('text is cut between characters, not inside one', () => {
  expect(shorten('a👍b', 3)).toBe('a👍b')
  expect(shorten('a👍bc', 3)).toBe('a👍…')
})
