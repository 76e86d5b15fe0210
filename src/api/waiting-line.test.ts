import { expect, test } from 'vitest'
import { makeWaitingLine } from './waiting-line.ts'

function works() {
  const begun: string[] = []
  const ends = new Map<string, () => void>()
  const work = (name: string) => () => {
    begun.push(name)
    return new Promise<void>((resolve) => ends.set(name, resolve))
  }
  return { begun, work, end: (name: string) => ends.get(name)?.() }
}

test('what comes beyond its number waits, and begins in its order as others end', async () => {
  const line = makeWaitingLine({ atOnce: 2, mostWaiting: 2 })
  const { begun, work, end } = works()
  for (const name of ['a', 'b', 'c', 'd']) void line.take(work(name))
  expect(begun).toEqual(['a', 'b'])
  end('b')
  await expect.poll(() => begun, { timeout: 30_000 }).toEqual(['a', 'b', 'c'])
  end('a')
  await expect.poll(() => begun, { timeout: 30_000 }).toEqual(['a', 'b', 'c', 'd'])
})

test('what finds the queue full is refused, and the next is taken when there is room', async () => {
  const line = makeWaitingLine({ atOnce: 1, mostWaiting: 1 })
  const { begun, work, end } = works()
  void line.take(work('a'))
  void line.take(work('b'))
  await expect(line.take(work('c'))).rejects.toMatchObject({ code: 'wire.overloaded' })
  end('a')
  await expect.poll(() => begun, { timeout: 30_000 }).toEqual(['a', 'b'])
  void line.take(work('c'))
  end('b')
  await expect.poll(() => begun, { timeout: 30_000 }).toEqual(['a', 'b', 'c'])
})

test('each gets its own answer or failure, and a failure gives its place on', async () => {
  const line = makeWaitingLine({ atOnce: 1, mostWaiting: 2 })
  const failed = line.take(async () => {
    throw new Error('its own')
  })
  const answered = line.take(async () => 7)
  await expect(failed).rejects.toThrow('its own')
  expect(await answered).toBe(7)
})
