// For output that this process writes: a mirror's copy, or an in-process worker's text. Bytes first, then their record, so that a
// record never covers bytes that are not there. Opening it after a crash cuts both back to what was whole.

import { constants } from 'node:fs'
import { type FileHandle, mkdir, open as openFile } from 'node:fs/promises'
import { failure } from '../../contract/errors.ts'
import type { OutputStream } from '../../contract/output.ts'
import { asWriteProblem, beginning, type OutputPosition, outputFiles, outputStreams, type Sizes } from './files.ts'
import { wholePosition } from './position.ts'
import { type ChunkPart, type ChunkRecord, chunkBytes, encodeRecord, endOf, recordBytes } from './record.ts'

export interface Appender {
  readonly position: OutputPosition
  /** Appends bytes as chunks of this writer's own. Rejects with `store.unavailable` when they cannot be written. */
  append(bytes: { stream: OutputStream; bytes: Uint8Array; at: number }): Promise<void>
  /**
   * Appends chunks as their source has them, in parts; a chunk counts once its last part is here.
   * Rejects with `wire.protocol` for a part that is not next, `store.unavailable` when they cannot be written.
   */
  copy(parts: readonly ChunkPart[]): Promise<void>
  /** Drops all that is here, for a copy whose source has other chunks now. */
  clear(): Promise<void>
  /** Finishes what was asked for; it is on disk when this resolves. */
  close(): Promise<void>
}

/** One appender at a time for a directory, which is made if it is not there. Rejects with `store.unavailable`. */
export async function openAppender(dir: string): Promise<Appender> {
  try {
    return await open(dir)
  } catch (error) {
    throw asWriteProblem(error, dir)
  }
}

async function open(dir: string): Promise<Appender> {
  await using opened = new AsyncDisposableStack()
  await mkdir(dir, { recursive: true, mode: 0o700 })
  const files = outputFiles(dir)
  const order = opened.use(await openToWrite(files.order))
  const data = { stdout: opened.use(await openToWrite(files.stdout)), stderr: opened.use(await openToWrite(files.stderr)) }
  let position = await cutBack(order, data)
  /** How far bytes are written: beyond `position` while a chunk is not whole. */
  let reached: Sizes = position
  const parts = opened.move()
  let last: Promise<void> = Promise.resolve()

  async function write({ stream, bytes, at }: Parameters<Appender['append']>[0]): Promise<void> {
    for (let from = 0; from < bytes.byteLength; from += chunkBytes) {
      const part = bytes.subarray(from, from + chunkBytes)
      const record = { stream, offset: position[stream], length: part.byteLength, at }
      await writeParts([{ record, offset: record.offset, bytes: part }])
    }
  }

  async function writeParts(parts: readonly ChunkPart[]): Promise<void> {
    const next = { ...reached }
    const bytes: Record<OutputStream, Uint8Array[]> = { stdout: [], stderr: [] }
    const whole: ChunkRecord[] = []
    for (const part of parts) {
      const { stream } = part.record
      if (part.offset !== next[stream])
        throw failure('wire.protocol', { problem: `bytes of ${stream} are at ${part.offset}, and ${next[stream]} was next` })
      bytes[stream].push(part.bytes)
      next[stream] += part.bytes.byteLength
      if (next[stream] === endOf(part.record)) whole.push(part.record)
    }
    for (const stream of outputStreams) await writeAll(data[stream], bytes[stream], reached[stream])
    await writeAll(order, whole.map(encodeRecord), position.chunk * recordBytes)
    reached = next
    for (const record of whole) position = { ...position, [record.stream]: endOf(record), chunk: position.chunk + 1 }
  }

  function inTurn(work: () => Promise<void>): Promise<void> {
    const done = last.then(work).catch((error) => {
      throw asWriteProblem(error, dir)
    })
    // Whoever asked is told; what comes next is judged by itself.
    last = done.catch(() => undefined)
    return done
  }

  return {
    get position() {
      return position
    },
    append: (bytes) => inTurn(() => write(bytes)),
    copy: (parts) => inTurn(() => writeParts(parts)),
    clear: () =>
      inTurn(async () => {
        await cutTo(beginning, order, data)
        position = beginning
        reached = beginning
      }),
    async close() {
      await last
      try {
        for (const file of [data.stdout, data.stderr, order]) await file.datasync()
      } catch (error) {
        throw asWriteProblem(error, dir)
      } finally {
        await parts.disposeAsync()
      }
    },
  }
}

function openToWrite(file: string): Promise<FileHandle> {
  // Read and write without truncating, created if absent ('r+' does not create, 'a+' ignores positions on Linux).
  return openFile(file, constants.O_RDWR | constants.O_CREAT, 0o600)
}

/** Drops records that are torn or whose bytes are missing, and bytes without a record. */
async function cutBack(order: FileHandle, data: Record<OutputStream, FileHandle>): Promise<OutputPosition> {
  const sizes = { stdout: (await data.stdout.stat()).size, stderr: (await data.stderr.stat()).size }
  const position = await wholePosition(order, sizes)
  await cutTo(position, order, data)
  return position
}

/** The order first: a record must never cover bytes that are not there. */
async function cutTo(position: OutputPosition, order: FileHandle, data: Record<OutputStream, FileHandle>): Promise<void> {
  await order.truncate(position.chunk * recordBytes)
  for (const stream of outputStreams) await data[stream].truncate(position[stream])
}

/** A write to a disk that is nearly full may take only some of it, and fails when it is asked for the rest. */
async function writeAll(file: FileHandle, pieces: readonly Uint8Array[], at: number): Promise<void> {
  let rest = pieces
  for (let to = at; rest.length > 0; ) {
    const { bytesWritten } = await file.writev(rest, to)
    to += bytesWritten
    rest = without(rest, bytesWritten)
  }
}

/** The pieces after their first `count` bytes. */
function without(pieces: readonly Uint8Array[], count: number): readonly Uint8Array[] {
  let rest = count
  for (const [i, piece] of pieces.entries()) {
    if (rest < piece.byteLength) return [piece.subarray(rest), ...pieces.slice(i + 1)]
    rest -= piece.byteLength
  }
  return []
}
