import { expect, test } from 'vitest'
import { parseSince } from './since.ts'

const now = Date.parse('2026-01-31T12:00:00Z')

test('a log begins after a number, some while ago, or at a time', () => {
  expect(parseSince(undefined, now)).toEqual({ after: 0 })
  expect(parseSince('120', now)).toEqual({ after: 120 })
  expect(parseSince('10m', now)).toEqual({ after: 0, notBefore: now - 600_000 })
  expect(parseSince('2026-01-31T08:00:00Z', now)).toEqual({ after: 0, notBefore: Date.parse('2026-01-31T08:00:00Z') })
  expect(parseSince('2026-01-31T08:00:00+02:00', now).notBefore).toBe(Date.parse('2026-01-31T06:00:00Z'))
})

test.each(['yesterday', '-5', '2026-13-01', '', '1e9'])('%j is refused', (text) => {
  expect(() => parseSince(text, now)).toThrow(/no chunk number/)
})
