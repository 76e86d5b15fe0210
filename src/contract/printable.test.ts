import { expect, test } from 'vitest'
import { allSeen, printable, printableJson } from './printable.ts'

test.each([
  ['an escape sequence', 'a\u001b[2Jb', 'a\\x1b[2Jb'],
  ['one of a single character', 'a\u009b2Jb', 'a\\x9b2Jb'],
  ['line ends', 'a\r\nb\u2028c', 'a\\x0d\\x0ab\\u2028c'],
  ['what reorders', 'a\u202eb\u2066c\u061cd', 'a\\u202eb\\u2066c\\u061cd'],
])('%s is written out', (_, text, shown) => {
  expect(printable(text)).toBe(shown)
  expect(allSeen(text)).toBe(shown)
})

test.each([
  ['a zero-width space', 'rm\u200b -rf', 'rm\\u200b -rf'],
  ['a soft hyphen', 'a\u00adb', 'a\\xadb'],
  ['a letter of another script that is drawn as nothing', 'a\u3164b', 'a\\u3164b'],
  ['a tag', 'a\u{e0041}b', 'a\\u{e0041}b'],
])('%s is written out where people judge to the letter', (_, text, shown) => {
  expect(printable(text)).toBe(text)
  expect(allSeen(text)).toBe(shown)
})

test('names and words of any script stay as they are', () => {
  for (const text of ['机器-1', 'मशीन', 'naïve café', 'שלום', '€ 5']) expect(allSeen(text)).toBe(text)
  for (const text of ['نمی\u200cخواهم', '👩\u200d💻', '✔\ufe0f']) expect(printable(text)).toBe(text)
})

test('JSON stays the same JSON, and its own line ends stay', () => {
  const value = { 'a\u202e': ['\u009b2J', '\u001b[2J', 'x\ny', 'é'] }
  const shown = printableJson(value, 2)
  expect(JSON.parse(shown)).toEqual(value)
  expect(shown).not.toMatch(/[\u009b\u202e\u001b]/)
  expect(shown.split('\n')).toHaveLength(8)
})
