import { PassThrough } from 'node:stream'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { eventually } from '../../../test/resources/eventually.ts'
import { openStdin, type StdinPart } from './stdin.ts'

const never = new AbortController().signal
const part = (offset: number, end = false, signal = never): StdinPart => ({ run: 'r', offset, end, signal })

async function* bytesOf(...parts: Uint8Array[]) {
  yield* parts
}

async function collect(pipe: PassThrough): Promise<string> {
  const parts: Buffer[] = []
  for await (const bytes of pipe) parts.push(bytes as Buffer)
  return Buffer.concat(parts).toString()
}

test('whatever overlapping parts are sent in order, the process reads each byte once', async () => {
  const whole = Buffer.from('abcdefghijklmnopqrstuvwxyz')
  const overlaps = fc.array(fc.tuple(fc.nat(26), fc.nat(26)), { maxLength: 12 })
  await fc.assert(
    fc.asyncProperty(overlaps, async (tries) => {
      const pipe = new PassThrough()
      const read = collect(pipe)
      const stdin = openStdin(pipe)
      let written = 0
      for (const [from, length] of tries) {
        const to = Math.min(from + length, whole.length)
        const sending = stdin.write(part(from), bytesOf(whole.subarray(from, to)))
        if (from > written) await expect(sending).rejects.toMatchObject({ code: 'run.stdin_gap' })
        else written = Math.max(written, to)
        await sending.catch(() => {})
      }
      expect(await stdin.write(part(0, true), bytesOf(whole))).toBe(whole.length)
      expect(await read).toBe(whole.toString())
    }),
  )
})

test('repeating the end is harmless; writing beyond it is refused', async () => {
  const pipe = new PassThrough()
  pipe.resume()
  const stdin = openStdin(pipe)
  expect(await stdin.write(part(0, true), bytesOf(Buffer.from('abc')))).toBe(3)
  expect(await stdin.write(part(0, true), bytesOf(Buffer.from('abc')))).toBe(3)
  await expect(stdin.write(part(3), bytesOf(Buffer.from('d')))).rejects.toMatchObject({ code: 'run.stdin_closed' })
})

test('a process that does not read stops the writer instead of growing memory', async () => {
  const pipe = new PassThrough({ highWaterMark: 1024 })
  const stdin = openStdin(pipe)
  let taken = 0
  async function* endless() {
    for (;;) {
      taken += 1024
      yield Buffer.alloc(1024)
    }
  }
  const leaving = new AbortController()
  const writing = stdin.write(part(0, false, leaving.signal), endless())
  await eventually(() => expect(pipe.writableNeedDrain).toBe(true))
  expect(taken).toBeLessThan(16 * 1024)
  leaving.abort()
  await expect(writing).rejects.toMatchObject({ code: 'call.cancelled' })
})

test('a process that closes its input refuses the rest', async () => {
  const pipe = new PassThrough({ highWaterMark: 16 })
  const stdin = openStdin(pipe)
  const writing = stdin.write(part(0), bytesOf(Buffer.alloc(64)))
  setImmediate(() => pipe.destroy(new Error('EPIPE')))
  await expect(writing).rejects.toMatchObject({ code: 'run.stdin_closed' })
})

test('writers that leave a process that does not read add nothing, however many come', async () => {
  const pipe = new PassThrough({ highWaterMark: 1024 })
  const stdin = openStdin(pipe)
  for (let i = 0; i < 20; i++) {
    const leaving = new AbortController()
    const writing = stdin.write(part(0, false, leaving.signal), bytesOf(Buffer.alloc(100 * 1024)))
    await eventually(() => expect(pipe.writableNeedDrain).toBe(true))
    setImmediate(() => leaving.abort())
    await writing.catch((error) => expect(error).toMatchObject({ code: 'call.cancelled' }))
    const more = new AbortController()
    const adding = stdin.write(part(100 * 1024, false, more.signal), bytesOf(Buffer.alloc(100 * 1024)))
    setImmediate(() => more.abort())
    await expect(adding).rejects.toMatchObject({ code: 'call.cancelled' })
  }
  expect(pipe.writableLength + pipe.readableLength).toBeLessThanOrEqual(200 * 1024)
})
