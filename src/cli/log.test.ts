import { expect, test } from 'vitest'
import { readable } from './log.ts'

test('a log line is shown with its time, level, words and fields, and cannot steer the terminal', () => {
  const line = JSON.stringify({ level: 30, time: '2026-01-31T08:15:02.123Z', host: 'a\x1bb', n: 1, msg: 'joined the hub' })
  expect(readable(line)).toBe('08:15:02 info  joined the hub host=a\\x1bb n=1\n')
})
