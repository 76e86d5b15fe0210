import { setTimeout as delay } from 'node:timers/promises'
import { expect, onTestFinished, test, vi } from 'vitest'
import { letGo, makeTurns } from './turns.ts'

const never = new AbortController().signal

/** Works until it is asked to let go. */
const hold = (over: AbortSignal) =>
  new Promise<never>((_, reject) => over.addEventListener('abort', () => reject(over.reason), { once: true }))

test('no more than so many work at once, and each gets its turn', async () => {
  const turns = makeTurns(3, 20)
  let working = 0
  let most = 0
  const done = Array.from({ length: 12 }, (_, n) =>
    turns.take(async () => {
      working += 1
      most = Math.max(most, working)
      await delay(5)
      working -= 1
      return n
    }, never),
  )
  expect(await Promise.all(done)).toEqual(Array.from({ length: 12 }, (_, n) => n))
  expect(most).toBe(3)
})

test('who has had its time lets go when another waits, and not before', async () => {
  vi.useFakeTimers()
  onTestFinished(() => void vi.useRealTimers())
  const turns = makeTurns(1, 20)
  const ending = new AbortController()
  let over = false
  const long = turns.take(hold, ending.signal).finally(() => {
    over = true
  })
  await vi.advanceTimersByTimeAsync(60_000)
  expect(over).toBe(false)
  const short = turns.take(async () => 'in between', never)
  await vi.advanceTimersByTimeAsync(20)
  expect(await short).toBe('in between')
  expect(await long).toBe(letGo)
})

test('who waits leaves with the reason of its signal, and takes no turn from others', async () => {
  const turns = makeTurns(1, 10_000)
  const first = Promise.withResolvers<string>()
  const holding = turns.take(() => first.promise, never)
  const leaving = new AbortController()
  const left = turns.take(async () => 'never', leaving.signal)
  leaving.abort(new Error('gone'))
  await expect(left).rejects.toThrow('gone')
  const after = turns.take(async () => 'after', never)
  first.resolve('first')
  expect(await Promise.all([holding, after])).toEqual(['first', 'after'])
})
