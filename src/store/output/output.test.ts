import { appendFile, type FileHandle, mkdtemp, open, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test, vi } from 'vitest'
import { eventually } from '../../../test/resources/eventually.ts'
import type { OutputStream } from '../../contract/output.ts'
import { type Appender, openAppender } from './append.ts'
import { observeOutput } from './observe.ts'
import { type OutputProgress, readBytes, readChunks } from './read.ts'
import { chunkBytes, decodeFeed, encodeRecord, recordBytes } from './record.ts'
import { watchOutput } from './watch.ts'

interface Dir extends AsyncDisposable {
  readonly path: string
}

async function outputDir(): Promise<Dir> {
  const path = await mkdtemp(join(tmpdir(), 'muster-output-'))
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) }
}

const { signal } = new AbortController()
const now: OutputProgress = { finalSize: () => undefined, changed: () => Promise.reject(new Error('nobody follows here')) }

async function bytesOf(dir: string, stream: OutputStream, from: { offset?: number; limit?: number } = {}): Promise<string> {
  const parts: Uint8Array[] = []
  for await (const bytes of readBytes(dir, stream, { offset: 0, ...from, progress: now, follow: false, signal }))
    parts.push(bytes)
  return Buffer.concat(parts).toString('latin1')
}

async function chunksOf(
  dir: string,
  after = 0,
): Promise<{ chunk: number; stream: OutputStream; offset: number; text: string }[]> {
  const chunks = []
  for await (const { chunk, stream, offset, bytes } of readChunks(dir, { after, progress: now, follow: false, signal })) {
    chunks.push({ chunk, stream, offset, text: Buffer.from(bytes).toString('latin1') })
  }
  return chunks
}

const streams = fc.constantFrom<OutputStream>('stdout', 'stderr')
const pieces = fc.array(fc.record({ stream: streams, text: fc.string({ unit: 'binary-ascii', minLength: 1, maxLength: 20 }) }), {
  maxLength: 25,
})
const joined = (all: readonly { stream: OutputStream; text: string }[], stream: OutputStream) =>
  all.flatMap((one) => (one.stream === stream ? [one.text] : [])).join('')

/** A chunk as it travels. */
function feedOf({ stream, offset, text }: { stream: OutputStream; offset: number; text: string }): Buffer[] {
  const bytes = Buffer.from(text, 'latin1')
  return [encodeRecord({ stream, offset, length: bytes.byteLength, at: 5 }), bytes]
}

/** The bytes in pieces of these lengths, over and over. */
async function* cut(bytes: Uint8Array, lengths: readonly number[]): AsyncGenerator<Uint8Array> {
  for (let at = 0, n = 0; at < bytes.byteLength; n += 1) {
    const length = lengths[n % lengths.length] as number
    yield bytes.subarray(at, at + length)
    at += length
  }
}

async function copyFeed(appender: Appender, feed: AsyncIterable<Uint8Array>): Promise<void> {
  for await (const part of decodeFeed(feed)) await appender.copy([part])
}

describe('an appender', () => {
  test('keeps bytes and order, and a crash that cuts any file anywhere is resumed from the chunk that it says', async () => {
    await fc.assert(
      fc.asyncProperty(pieces, fc.constantFrom('stdout', 'stderr', 'order'), fc.nat(600), async (all, file, cut) => {
        await using dir = await outputDir()
        {
          const appender = await openAppender(dir.path)
          for (const { stream, text } of all) await appender.append({ stream, bytes: Buffer.from(text, 'latin1'), at: 5 })
          await appender.close()
        }
        const { size } = await stat(join(dir.path, file))
        await truncate(join(dir.path, file), Math.min(cut, size))

        const appender = await openAppender(dir.path)
        const { chunk } = appender.position
        const kept = all.slice(0, chunk)
        expect(appender.position).toEqual({ chunk, stdout: joined(kept, 'stdout').length, stderr: joined(kept, 'stderr').length })
        expect((await chunksOf(dir.path)).map(({ stream, text }) => ({ stream, text }))).toEqual(kept)
        for (const { stream, text } of all.slice(chunk))
          await appender.append({ stream, bytes: Buffer.from(text, 'latin1'), at: 5 })
        await appender.close()
        expect((await chunksOf(dir.path)).map(({ stream, text }) => ({ stream, text }))).toEqual(all)
        expect(await bytesOf(dir.path, 'stdout')).toBe(joined(all, 'stdout'))
      }),
      { numRuns: 60 },
    )
  })

  test('loses nothing that was whole when the end of its order file is garbage', async () => {
    await using dir = await outputDir()
    const appender = await openAppender(dir.path)
    await appender.append({ stream: 'stdout', bytes: Buffer.from('abc'), at: 1 })
    await appender.close()
    // A machine that lost power can find the file longer than what was written to it.
    await appendFile(join(dir.path, 'order'), Buffer.alloc(3 * recordBytes))
    const again = await openAppender(dir.path)
    expect(again.position).toEqual({ chunk: 1, stdout: 3, stderr: 0 })
    await again.close()
    expect((await readFile(join(dir.path, 'order'))).byteLength).toBe(recordBytes)
  })

  test('copies chunks however a feed cuts them, and a chunk counts once it is whole', async () => {
    await fc.assert(
      fc.asyncProperty(pieces, fc.array(fc.integer({ min: 1, max: 90 }), { minLength: 1 }), fc.nat(), async (all, cuts, stop) => {
        await using source = await outputDir()
        const writer = await openAppender(source.path)
        for (const { stream, text } of all) await writer.append({ stream, bytes: Buffer.from(text, 'latin1'), at: 5 })
        await writer.close()
        const feed = Buffer.concat((await chunksOf(source.path)).flatMap(feedOf))

        await using copy = await outputDir()
        const torn = feed.subarray(0, all.length === 0 ? 0 : stop % feed.byteLength)
        const first = await openAppender(copy.path)
        const reading = copyFeed(first, cut(torn, cuts))
        // A feed that breaks off within a chunk says so; what came whole is kept.
        await reading.catch((error) => expect(error).toMatchObject({ code: 'wire.protocol' }))
        await first.close()

        const again = await openAppender(copy.path)
        const rest = Buffer.concat((await chunksOf(source.path, again.position.chunk)).flatMap(feedOf))
        await copyFeed(again, cut(rest, cuts))
        await again.close()
        expect(await chunksOf(copy.path)).toEqual(await chunksOf(source.path))
      }),
      { numRuns: 60 },
    )
  })

  test('refuses a part that is not next', async () => {
    await using dir = await outputDir()
    const appender = await openAppender(dir.path)
    const record = { stream: 'stdout' as const, offset: 0, length: 6, at: 1 }
    await appender.copy([{ record, offset: 0, bytes: Buffer.from('abc') }])
    expect(appender.position).toEqual({ chunk: 0, stdout: 0, stderr: 0 })
    for (const offset of [0, 2, 4])
      await expect(appender.copy([{ record, offset, bytes: Buffer.from('x') }])).rejects.toMatchObject({ code: 'wire.protocol' })
    await appender.copy([{ record, offset: 3, bytes: Buffer.from('def') }])
    expect(appender.position).toEqual({ chunk: 1, stdout: 6, stderr: 0 })
    await appender.close()
    expect((await chunksOf(dir.path)).map(({ text }) => text)).toEqual(['abcdef'])
  })

  test('keeps the order of appends that nobody waited for, and cuts large ones into chunks', async () => {
    await using dir = await outputDir()
    const appender = await openAppender(dir.path)
    const large = Buffer.alloc(chunkBytes + 1, 'x')
    const appends = [large, Buffer.from('y'), Buffer.from('z')].map((bytes) =>
      appender.append({ stream: 'stderr', bytes, at: 1 }),
    )
    await Promise.all(appends)
    expect(appender.position).toEqual({ chunk: 4, stdout: 0, stderr: chunkBytes + 3 })
    await appender.close()
    expect((await bytesOf(dir.path, 'stderr')).endsWith('xyz')).toBe(true)
  })

  test('a full disk is store.unavailable, and what comes after it goes on at the right place', async () => {
    await using dir = await outputDir()
    const stdout = join(dir.path, 'stdout')
    const appender = await openAppender(dir.path)
    vi.spyOn(await fileHandlePrototype(stdout), 'writev').mockRejectedValueOnce(noSpace())
    const chunk = { stream: 'stdout' as const, bytes: Buffer.from('x'), at: 1 }
    await expect(appender.append(chunk)).rejects.toMatchObject({ code: 'store.unavailable' })
    await appender.append(chunk)
    await appender.close()
    expect(await bytesOf(dir.path, 'stdout')).toBe('x')
  })
})

async function fileHandlePrototype(file: string): Promise<FileHandle> {
  await using handle = await open(file)
  return Object.getPrototypeOf(handle)
}

function noSpace(): Error {
  return Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC', syscall: 'write' })
}

describe('an observer', () => {
  test('notes all growth in the order of the notes, also after it was killed and its order file cut', async () => {
    const writes = fc.array(
      fc.record({
        stream: streams,
        text: fc.string({ unit: 'binary-ascii', maxLength: 20 }),
        next: fc.constantFrom('nothing', 'note', 'killed', 'cut'),
      }),
      { maxLength: 25 },
    )
    await fc.assert(
      fc.asyncProperty(writes, async (all) => {
        await using dir = await outputDir()
        let observer = await observeOutput(dir.path)
        const killed: (typeof observer)[] = []
        for (const { stream, text, next } of all) {
          await appendFile(join(dir.path, stream), Buffer.from(text, 'latin1'))
          if (next === 'note') await observer.note()
          if (next === 'cut') {
            await observer.close()
            const order = join(dir.path, 'order')
            await truncate(order, Math.max(0, (await stat(order)).size - 30))
          }
          if (next === 'killed') killed.push(observer)
          if (next === 'killed' || next === 'cut') observer = await observeOutput(dir.path)
        }
        const sizes = await observer.close()
        expect(sizes).toEqual({ stdout: joined(all, 'stdout').length, stderr: joined(all, 'stderr').length })
        expect(await bytesOf(dir.path, 'stdout')).toBe(joined(all, 'stdout'))
        expect(joined(await chunksOf(dir.path), 'stderr')).toBe(joined(all, 'stderr'))
        // The dead close no files by themselves here.
        for (const dead of killed) await dead.close()
      }),
      { numRuns: 60 },
    )
  })

  test('makes one record of many small writes, and records of at most 256 KiB of a large one', async () => {
    await using dir = await outputDir()
    const observer = await observeOutput(dir.path)
    for (let n = 0; n < 200; n += 1) await appendFile(join(dir.path, 'stdout'), 'x')
    await observer.note()
    await observer.note()
    await writeFile(join(dir.path, 'stderr'), Buffer.alloc(2 * chunkBytes + 5))
    await observer.close()
    expect((await chunksOf(dir.path)).map(({ stream, text }) => [stream, text.length])).toEqual([
      ['stdout', 200],
      ['stderr', chunkBytes],
      ['stderr', chunkBytes],
      ['stderr', 5],
    ])
  })

  test('a program that cut its own output leaves zeros where bytes were promised', async () => {
    await using dir = await outputDir()
    await writeFile(join(dir.path, 'stdout'), 'abcdef')
    const observer = await observeOutput(dir.path)
    await observer.note()
    await truncate(join(dir.path, 'stdout'), 2)
    expect(await observer.close()).toEqual({ stdout: 6, stderr: 0 })
    expect(await bytesOf(dir.path, 'stdout')).toBe('ab\0\0\0\0')
  })
})

describe('a reader', () => {
  test('sees nothing that no record covers, and no record whose bytes are missing', async () => {
    await using dir = await outputDir()
    await writeFile(join(dir.path, 'stdout'), 'covered, not yet')
    await writeFile(join(dir.path, 'stderr'), 'sho')
    await writeFile(
      join(dir.path, 'order'),
      Buffer.concat([
        encodeRecord({ stream: 'stdout', offset: 0, length: 7, at: 1 }),
        encodeRecord({ stream: 'stderr', offset: 0, length: 5, at: 2 }),
      ]),
    )
    expect(await bytesOf(dir.path, 'stdout')).toBe('covered')
    expect(await chunksOf(dir.path)).toEqual([{ chunk: 1, stream: 'stdout', offset: 0, text: 'covered' }])
  })

  test('of a run that has written nothing yet reads nothing', async () => {
    await using dir = await outputDir()
    expect(await bytesOf(dir.path, 'stdout')).toBe('')
    expect(await bytesOf(join(dir.path, 'none'), 'stdout')).toBe('')
  })

  test('resumes at any offset or chunk, and stops at the limit', async () => {
    await fc.assert(
      fc.asyncProperty(pieces, fc.nat(60), fc.integer({ min: 1, max: 60 }), fc.nat(30), async (all, offset, limit, after) => {
        await using dir = await outputDir()
        const appender = await openAppender(dir.path)
        for (const { stream, text } of all) await appender.append({ stream, bytes: Buffer.from(text, 'latin1'), at: 5 })
        await appender.close()
        expect(await bytesOf(dir.path, 'stdout', { offset, limit })).toBe(joined(all, 'stdout').slice(offset, offset + limit))
        const chunks = await chunksOf(dir.path, after)
        expect(chunks.map(({ text }) => text)).toEqual(all.slice(after).map(({ text }) => text))
        expect(chunks[0]?.chunk ?? after + 1).toBe(after + 1)
      }),
      { numRuns: 40 },
    )
  })

  test('follows a live run by watching its files, and ends at the final size', async () => {
    await using dir = await outputDir()
    using watching = watchOutput(dir.path)
    let final: number | undefined
    const progress = { finalSize: () => final, changed: watching.changed }
    const seen: string[] = []
    const reading = (async () => {
      for await (const bytes of readBytes(dir.path, 'stdout', { offset: 0, progress, follow: true, signal }))
        seen.push(Buffer.from(bytes).toString())
    })()
    const appender = await openAppender(dir.path)
    await appender.append({ stream: 'stdout', bytes: Buffer.from('one'), at: 1 })
    await eventually(() => expect(seen.join('')).toBe('one'))
    await appender.append({ stream: 'stdout', bytes: Buffer.from('two'), at: 1 })
    await eventually(() => expect(seen.join('')).toBe('onetwo'))
    // Known before the last bytes are here, as in a mirror.
    final = 9
    await appender.append({ stream: 'stdout', bytes: Buffer.from('end'), at: 1 })
    await reading
    expect(seen.join('')).toBe('onetwoend')
    await appender.close()
  })

  test('lets go when its signal aborts', async () => {
    await using dir = await outputDir()
    using watching = watchOutput(dir.path)
    const leaving = new AbortController()
    const progress = { finalSize: () => undefined, changed: watching.changed }
    const next = readChunks(dir.path, { after: 0, progress, follow: true, signal: leaving.signal }).next()
    leaving.abort(new Error('left'))
    await expect(next).rejects.toThrow('left')
  })
})

describe('a copy', () => {
  const at = (stdout: number, stderr: number) => ({ stdout, stderr })
  const ended = (stdout: number): OutputProgress => ({
    finalSize: (stream) => (stream === 'stdout' ? stdout : 0),
    changed: now.changed,
  })
  const feed = async (dir: string, after: number, had: { stdout: number; stderr: number }, progress = ended(30)) => {
    const offsets: number[] = []
    for await (const { offset } of readChunks(dir, { after, had, progress, follow: true, signal })) offsets.push(offset)
    return offsets
  }

  async function hostWith(...pieces: number[]): Promise<Dir> {
    const dir = await outputDir()
    const appender = await openAppender(dir.path)
    for (const length of pieces) await appender.append({ stream: 'stdout', bytes: Buffer.alloc(length), at: 5 })
    await appender.close()
    return dir
  }

  test('goes on where its chunks are those of the source, and is told where they are not', async () => {
    await using same = await hostWith(10, 10, 10)
    expect(await feed(same.path, 2, at(20, 0))).toEqual([20])
    expect(await feed(same.path, 3, at(30, 0))).toEqual([])
    // As many chunks, fewer chunks and more chunks than were copied: power was lost, and the rest numbered anew.
    await using asMany = await hostWith(5, 25)
    await expect(feed(asMany.path, 2, at(20, 0))).rejects.toMatchObject({ code: 'output.changed' })
    await using fewer = await hostWith(30)
    await expect(feed(fewer.path, 2, at(20, 0))).rejects.toMatchObject({ code: 'output.changed' })
    await using more = await hostWith(5, 5, 5, 15)
    await expect(feed(more.path, 2, at(20, 0))).rejects.toMatchObject({ code: 'output.changed' })
    await using none = await hostWith()
    await expect(feed(none.path, 2, at(20, 0), ended(0))).rejects.toMatchObject({ code: 'output.changed' })
  })

  test('that is cleared begins anew', async () => {
    await using dir = await hostWith(10, 10)
    const appender = await openAppender(dir.path)
    await appender.clear()
    expect(appender.position).toEqual({ chunk: 0, stdout: 0, stderr: 0 })
    await appender.append({ stream: 'stdout', bytes: Buffer.from('new'), at: 5 })
    await appender.close()
    expect(await bytesOf(dir.path, 'stdout')).toBe('new')
    expect(await chunksOf(dir.path)).toHaveLength(1)
  })
})

test('a million chunks are taken up again without keeping the process from other things', async () => {
  await using dir = await outputDir()
  const chunks = 1_000_000
  const order = Buffer.alloc(chunks * recordBytes)
  for (let i = 0; i < chunks; i++) encodeRecord({ stream: 'stdout', offset: i, length: 1, at: 5 }).copy(order, i * recordBytes)
  await writeFile(join(dir.path, 'order'), order)
  await writeFile(join(dir.path, 'stdout'), Buffer.alloc(chunks))
  let turns = 0
  const turning = setInterval(() => (turns += 1), 1)
  const appender = await openAppender(dir.path)
  expect(appender.position).toEqual({ chunk: chunks, stdout: chunks, stderr: 0 })
  await appender.close()
  expect(await (await observeOutput(dir.path)).close()).toEqual({ stdout: chunks, stderr: 0 })
  clearInterval(turning)
  expect(turns).toBeGreaterThan(20)
})
