import fc from 'fast-check'
import { expect, test } from 'vitest'
import { fromSparse, sparse, toSparse } from './sparse.ts'
import { isZeros, zeros } from './zeros.ts'

const kibi = 1024
const run = fc.record({ zeros: fc.boolean(), kibibytes: fc.nat(200), odd: fc.nat(5) })

async function* pieces(of: readonly Buffer[]): AsyncGenerator<Uint8Array> {
  yield* of
}

async function joined(source: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Uint8Array[] = []
  for await (const part of source) parts.push(part)
  return Buffer.concat(parts)
}

/** Cut anywhere, as a network does. */
function cut(bytes: Buffer, at: readonly number[]): Buffer[] {
  const places = [0, ...at.map((one) => Math.floor((one / 1000) * bytes.length)).sort((a, b) => a - b), bytes.length]
  return places.slice(1).map((end, n) => bytes.subarray(places[n], end))
}

test('what is told sparsely comes back as it was, however it is cut on its way', async () => {
  const cuts = fc.array(fc.nat(1000), { maxLength: 6 })
  await fc.assert(
    fc.asyncProperty(fc.array(run, { maxLength: 5 }), cuts, cuts, async (runs, before, after) => {
      const whole = Buffer.concat(runs.map((one) => Buffer.alloc(one.kibibytes * kibi + one.odd, one.zeros ? 0 : 7)))
      const told = await joined(toSparse(pieces(cut(whole, before))))
      const back = await joined(fromSparse(pieces(cut(told, after))))
      expect(back.equals(whole)).toBe(true)
    }),
    { numRuns: 50 },
  )
})

test('a hole is four bytes, whatever its size in one piece; and what breaks off in a run is not taken for whole', async () => {
  const piece = Buffer.concat([Buffer.alloc(64 * kibi, 1), Buffer.alloc(960 * kibi)])
  const told = Buffer.concat([...sparse(piece)])
  expect(told.length).toBe(4 + 64 * kibi + 4)
  for (const length of [2, 100, 4 + 64 * kibi + 1])
    await expect(joined(fromSparse(pieces([told.subarray(0, length)])))).rejects.toMatchObject({ code: 'wire.protocol' })
})

test('zeros are told from what only begins and ends with them', () => {
  const piece = Buffer.alloc(200 * kibi)
  expect([isZeros(piece), isZeros(piece.subarray(0, 4095))]).toEqual([true, false])
  for (const at of [1, 65_536, 100_000]) {
    piece[at] = 1
    expect(isZeros(piece)).toBe(false)
    piece[at] = 0
  }
  expect(Buffer.concat([...zeros(150_000)])).toEqual(Buffer.alloc(150_000))
})
