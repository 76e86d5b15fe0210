// For output that this process writes: a mirror's copy, or an in-process worker's text. Bytes first, then their record, so that a
// record never covers bytes that are not there. Opening it after a crash cuts both back to what was whole.

import { constants } from 'node:fs'
import { type FileHandle, mkdir, open } from 'node:fs/promises'
import { failure } from '../../contract/errors.ts'
import type { OutputStream } from '../../contract/output.ts'
import { asWriteProblem, beginning, type OutputPosition, outputFiles, outputStreams } from './files.ts'
import { wholePosition } from './position.ts'
import { chunkBytes, encodeRecord, recordBytes } from './record.ts'

export interface Appender {
  readonly position: OutputPosition
  /**
   * Appends bytes. With an `offset`, what is here already is skipped, so that a repeat is harmless.
   * Rejects with `wire.protocol` for an offset beyond the end, `store.unavailable` when they cannot be written.
   */
  append(chunk: { stream: OutputStream; bytes: Uint8Array; at: number; offset?: number }): Promise<void>
  /** Drops all that is here, for a copy whose source has other chunks now. */
  clear(): Promise<void>
  /** Finishes what was asked for; it is on disk when this resolves. */
  close(): Promise<void>
}

/** One appender at a time for a directory, which is made if it is not there. */
export async function openAppender(dir: string): Promise<Appender> {
  await using opened = new AsyncDisposableStack()
  await mkdir(dir, { recursive: true, mode: 0o700 })
  const files = outputFiles(dir)
  const order = opened.use(await openToWrite(files.order))
  const data = { stdout: opened.use(await openToWrite(files.stdout)), stderr: opened.use(await openToWrite(files.stderr)) }
  let position = await cutBack(order, data)
  const parts = opened.move()
  let last: Promise<void> = Promise.resolve()

  async function write({ stream, bytes, at, offset = position[stream] }: Parameters<Appender['append']>[0]): Promise<void> {
    const end = position[stream]
    if (offset > end) throw failure('wire.protocol', { problem: `a chunk of ${stream} is at ${offset}, and ${end} was next` })
    for (let from = end - offset; from < bytes.byteLength; from += chunkBytes) {
      const part = bytes.subarray(from, from + chunkBytes)
      await writeAll(data[stream], part, position[stream])
      const record = encodeRecord({ stream, offset: position[stream], length: part.byteLength, at })
      await writeAll(order, record, position.chunk * recordBytes)
      position = { ...position, [stream]: position[stream] + part.byteLength, chunk: position.chunk + 1 }
    }
  }

  function inTurn(work: () => Promise<void>): Promise<void> {
    const done = last.then(work).catch((error) => {
      throw asWriteProblem(error)
    })
    // Whoever asked is told; what comes next is judged by itself.
    last = done.catch(() => undefined)
    return done
  }

  return {
    get position() {
      return position
    },
    append: (chunk) => inTurn(() => write(chunk)),
    clear: () =>
      inTurn(async () => {
        await cutTo(beginning, order, data)
        position = beginning
      }),
    async close() {
      await last
      try {
        for (const file of [data.stdout, data.stderr, order]) await file.datasync()
      } catch (error) {
        throw asWriteProblem(error)
      } finally {
        await parts.disposeAsync()
      }
    },
  }
}

function openToWrite(file: string): Promise<FileHandle> {
  // Read and write without truncating, created if absent ('r+' does not create, 'a+' ignores positions on Linux).
  return open(file, constants.O_RDWR | constants.O_CREAT, 0o600)
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
async function writeAll(file: FileHandle, bytes: Uint8Array, at: number): Promise<void> {
  for (let written = 0; written < bytes.byteLength; ) {
    written += (await file.write(bytes, written, bytes.byteLength - written, at + written)).bytesWritten
  }
}
