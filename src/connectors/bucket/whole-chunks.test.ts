import fc from 'fast-check'
import { expect, test } from 'vitest'
import { countChunks, wholeChunks } from './whole-chunks.ts'

function record(stream: 1 | 2, bytes: string): Buffer {
  const head = Buffer.alloc(24)
  head.writeUInt8(stream, 0)
  head.writeUInt32BE(bytes.length, 4)
  return Buffer.concat([head, Buffer.from(bytes)])
}

test('however a feed is cut, what comes out is whole records, all of them, in order', async () => {
  const feed = Buffer.concat([record(1, 'a'), record(2, 'long'.repeat(100)), record(1, 'c')])
  await fc.assert(
    fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 200 }), { minLength: 1 }), async (sizes) => {
      async function* cut() {
        for (let at = 0, i = 0; at < feed.length; at += sizes[i++ % sizes.length] as number)
          yield feed.subarray(at, at + (sizes[i % sizes.length] as number))
      }
      const pieces = await Array.fromAsync(wholeChunks(cut()))
      expect(Buffer.concat(pieces.map(({ bytes }) => bytes))).toEqual(feed)
      expect(pieces.reduce((sum, { chunks }) => sum + chunks, 0)).toBe(3)
      for (const { bytes, chunks } of pieces) expect(countChunks(bytes)).toMatchObject({ chunks, end: bytes.length })
    }),
  )
  expect(countChunks(feed, 2)).toMatchObject({ chunks: 2, stdout: 1, stderr: 400 })
})

test('a feed that ends within a record is an error', async () => {
  const cut = (async function* () {
    yield record(1, 'abc').subarray(0, 25)
  })()
  await expect(Array.fromAsync(wholeChunks(cut))).rejects.toMatchObject({ code: 'wire.protocol' })
})
