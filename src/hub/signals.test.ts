import { expect, test } from 'vitest'
import { createSignals } from './signals.ts'

const never = new AbortController().signal

test('a notify between taking the promise and awaiting it is not lost', async () => {
  const signals = createSignals()
  const next = signals.next('run', never)
  signals.notify('run')
  await expect(next).resolves.toBeUndefined()
})

test('only waiters of the same name are woken', async () => {
  const signals = createSignals()
  let woken = false
  void signals.next('one', never).then(() => {
    woken = true
  })
  signals.notify('other')
  await Promise.resolve()
  expect(woken).toBe(false)
})

test('a waiter whose signal aborts, before or after, is rejected and forgotten', async () => {
  const signals = createSignals()
  const leaving = new AbortController()
  const waiting = signals.next('run', leaving.signal)
  leaving.abort()
  await expect(waiting).rejects.toMatchObject({ code: 'call.cancelled' })
  await expect(signals.next('run', leaving.signal)).rejects.toMatchObject({ code: 'call.cancelled' })
  signals.notify('run')
})
