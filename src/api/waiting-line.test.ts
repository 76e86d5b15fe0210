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
  for (const name of ['a', 'b', 'c', 'd']) line.take(work(name))
  expect(begun).toEqual(['a', 'b'])
  end('b')
  await expect.poll(() => begun).toEqual(['a', 'b', 'c'])
  end('a')
  await expect.poll(() => begun).toEqual(['a', 'b', 'c', 'd'])
})

test('what finds the queue full is refused, and the next is taken when there is room', async () => {
  const line = makeWaitingLine({ atOnce: 1, mostWaiting: 1 })
  const { begun, work, end } = works()
  line.take(work('a'))
  line.take(work('b'))
  expect(() => line.take(work('c'))).toThrow(expect.objectContaining({ code: 'wire.overloaded' }))
  end('a')
  await expect.poll(() => begun).toEqual(['a', 'b'])
  line.take(work('c'))
  end('b')
  await expect.poll(() => begun).toEqual(['a', 'b', 'c'])
})
