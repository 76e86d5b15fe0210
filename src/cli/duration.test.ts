import fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseDuration, showAgo, showDuration } from './duration.ts'

test('durations are read with units and refused without', () => {
  expect(['250ms', '90s', '10m', '1h30m', '1.5s', '2d'].map(parseDuration)).toEqual([
    250, 90_000, 600_000, 5_400_000, 1500, 172_800_000,
  ])
  expect(['', '10', 's', '-1s', '1 s', '1h 30m', '0s', '1e3s', '٣s', '10M'].map(parseDuration)).toEqual(Array(10).fill(undefined))
})

test('whole milliseconds come back as they were written', () => {
  fc.assert(fc.property(fc.integer({ min: 1, max: 2 ** 40 }), (ms) => parseDuration(`${ms}ms`) === ms))
})

test('a duration is shown in the two largest units', () => {
  expect([0, 840, 3210, 59_949, 59_950, 125_000, 3_599_400, 11_040_000, 183_600_000].map(showDuration)).toEqual([
    '0ms',
    '840ms',
    '3.2s',
    '59.9s',
    '1m 00s',
    '2m 05s',
    '59m 59s',
    '3h 04m',
    '2d 03h',
  ])
})

test('a time is shown by its age; one in the future is now', () => {
  const now = Date.parse('2026-01-01T12:00:00Z')
  const ago = (seconds: number) => showAgo(new Date(now - seconds * 1000).toISOString(), now)
  expect([-60, 4, 30, 180, 7200, 86_400, 200_000].map(ago)).toEqual([
    'just now',
    'just now',
    '30 s ago',
    '3 min ago',
    '2 h ago',
    '1 day ago',
    '2 days ago',
  ])
})
