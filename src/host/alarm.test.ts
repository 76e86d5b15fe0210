import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { setAlarm } from './alarm.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

const day = 24 * 3600 * 1000

test('rings when its time has come, also beyond the longest timer of the system', async () => {
  const ring = vi.fn()
  setAlarm(30 * day, ring)
  await vi.advanceTimersByTimeAsync(30 * day - 1)
  expect(ring).not.toHaveBeenCalled()
  await vi.advanceTimersByTimeAsync(1)
  expect(ring).toHaveBeenCalledOnce()
})

test('one in the past rings at once; one that was called off does not', async () => {
  const late = vi.fn()
  const off = vi.fn()
  setAlarm(-1000, late)
  setAlarm(1000, off)()
  await vi.advanceTimersByTimeAsync(2000)
  expect(late).toHaveBeenCalledOnce()
  expect(off).not.toHaveBeenCalled()
})
