import fc from 'fast-check'
import { expect, test } from 'vitest'
import { liveLines } from './live-lines.ts'

async function shown(parts: readonly Uint8Array[], screen = false): Promise<string> {
  const taken: Buffer[] = []
  const lines = liveLines('h | ', async (data) => void taken.push(Buffer.from(data)), screen)
  for (const part of parts) await lines.write(part)
  await lines.end()
  return Buffer.concat(taken).toString()
}

test('however the bytes are cut, each line comes once, whole, with its prefix', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.string({ unit: fc.constantFrom('a', 'é', '👍', ' ') })),
      fc.array(fc.nat({ max: 40 })),
      async (lines, cuts) => {
        const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(''))
        const ends = [...new Set([0, ...cuts.filter((cut) => cut < bytes.length), bytes.length])].sort((a, b) => a - b)
        const parts = ends.slice(1).map((end, i) => bytes.subarray(ends[i], end))
        expect(await shown(parts)).toBe(lines.map((line) => `h | ${line}\n`).join(''))
      },
    ),
  )
})

test('a last line without an end is shown at the end', async () => {
  expect(await shown([Buffer.from('a\nb')])).toBe('h | a\nh | b\n')
})

test('a line that never ends is shown in pieces, so that it is not kept', async () => {
  const text = await shown([Buffer.alloc(150_000, 'x')])
  expect(text.split('\n').map((line) => line.length)).toEqual([65_540, 65_540, 18_932, 0])
})

test('a progress bar shows its last state on a screen and stays as it is in a file', async () => {
  const bar = [Buffer.from('10%\r50%\r100%\r\n')]
  expect(await shown(bar, true)).toBe('h | 100%\n')
  expect(await shown(bar, false)).toBe('h | 10%\r50%\r100%\r\n')
})
