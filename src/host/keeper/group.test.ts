import { expect, test, vi } from 'vitest'
import { signalGroup } from './group.ts'

test("another account's group is there, although it cannot be signalled", () => {
  const refusal = Object.assign(new Error('not permitted'), { code: 'EPERM' })
  using _kill = vi.spyOn(process, 'kill').mockImplementation(() => {
    throw refusal
  })
  expect(signalGroup(4242, 0)).toBe(true)
  expect(() => signalGroup(4242, 'SIGTERM')).toThrow(refusal)
})

test('a group that is gone says so', () => {
  using _kill = vi.spyOn(process, 'kill').mockImplementation(() => {
    throw Object.assign(new Error('no such process'), { code: 'ESRCH' })
  })
  expect(signalGroup(4242, 'SIGKILL')).toBe(false)
})
