import fc from 'fast-check'
import { expect, test } from 'vitest'
import { batches } from './batches.ts'

test('every item comes once, in order, however source and consumer interleave', async () => {
  await fc.assert(
    fc.asyncProperty(fc.scheduler(), fc.array(fc.boolean(), { maxLength: 60 }), async (scheduler, pauses) => {
      async function* source() {
        for (const [item, pause] of pauses.entries()) {
          if (pause) await scheduler.schedule(Promise.resolve())
          yield item
        }
      }
      const seen: number[] = []
      const reading = (async () => {
        for await (const batch of batches(source(), { most: 500 })) {
          expect(batch.length).toBeGreaterThan(0)
          seen.push(...batch)
          await scheduler.schedule(Promise.resolve())
        }
      })()
      await scheduler.waitFor(reading)
      expect(seen).toEqual([...pauses.keys()])
    }),
    { numRuns: 50 },
  )
})

test('what is there at once comes as one batch, at most as many as are allowed', async () => {
  async function* source() {
    for (let item = 0; item < 1200; item++) yield item
  }
  const sizes: number[] = []
  for await (const batch of batches(source(), { most: 500 })) sizes.push(batch.length)
  expect(sizes).toEqual([500, 500, 200])
})

test('a batch ends once its items come to the limit, by what they count', async () => {
  async function* source() {
    for (const bytes of [30, 30, 50, 10, 200, 1]) yield bytes
  }
  const seen: number[][] = []
  for await (const batch of batches(source(), { most: 100, size: (bytes) => bytes })) seen.push(batch)
  expect(seen).toEqual([[30, 30, 50], [10, 200], [1]])
})

test('a source that fails fails the reader, once it has had what came before', async () => {
  async function* source() {
    yield 1
    throw new RangeError('broken')
  }
  const seen: number[][] = []
  const read = async () => {
    for await (const batch of batches(source(), { most: 500 })) seen.push(batch)
  }
  await expect(read()).rejects.toThrow('broken')
  expect(seen).toEqual([[1]])
})
