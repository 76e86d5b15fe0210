import { expect, test, vi } from 'vitest'
import { toldOutput } from './told-output.ts'

test('the first output is told at once, what comes soon after is gathered, and a character is never cut', () => {
  vi.useFakeTimers()
  try {
    const told: unknown[] = []
    const output = toldOutput((value) => told.push(value))
    output.take('stdout', Buffer.from('begun\n'))
    expect(told).toEqual([{ stream: 'stdout', text: 'begun\n' }])
    const fox = Buffer.from('🦊')
    output.take('stdout', fox.subarray(0, 2))
    output.take('stderr', Buffer.from('err'))
    vi.advanceTimersByTime(100)
    output.take('stdout', fox.subarray(2))
    output.end()
    expect(told.slice(1)).toEqual([
      { stream: 'stderr', text: 'err' },
      { stream: 'stdout', text: '🦊' },
    ])
  } finally {
    vi.useRealTimers()
  }
})

test('of a flood a part is told, and the rest counted', () => {
  const told: { text: string; skippedBytes?: number }[] = []
  const output = toldOutput((value) => told.push(value as { text: string }))
  output.take('stdout', Buffer.from('first'))
  for (let n = 0; n < 100; n++) output.take('stdout', Buffer.alloc(10_000, 'x'))
  output.end()
  expect(told).toHaveLength(2)
  expect((told[1]?.text.length ?? 0) + (told[1]?.skippedBytes ?? 0)).toBe(1_000_000)
  expect(told[1]?.text.length).toBeLessThanOrEqual(64 * 1024)
})
