import { expect, test } from 'vitest'
import { exitOfRun } from './exit.ts'

test('a code is passed through, a signal becomes 128 + N, and an end that nobody saw has none', () => {
  const code = (exit: { code: number | null; signal: string | null } | null) => exitOfRun({ exit, error: null }).code
  expect(code({ code: 0, signal: null })).toBe(0)
  expect(code({ code: 17, signal: null })).toBe(17)
  expect(code({ code: null, signal: 'SIGKILL' })).toBe(137)
  expect(code({ code: null, signal: 'SIGTERM' })).toBe(143)
  expect(code({ code: null, signal: null })).toBeUndefined()
  expect(code(null)).toBeUndefined()
})
