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
        for await (const batch of batches(source())) {
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

test('what is there at once comes as one batch, at most 500 of them', async () => {
  async function* source() {
    for (let item = 0; item < 1200; item++) yield item
  }
  const sizes: number[] = []
  for await (const batch of batches(source())) sizes.push(batch.length)
  expect(sizes).toEqual([500, 500, 200])
})

test('a source that fails fails the reader', async () => {
  async function* source() {
    yield 1
    throw new RangeError('broken')
  }
  const read = async () => {
    for await (const _ of batches(source()));
  }
  await expect(read()).rejects.toThrow('broken')
})
