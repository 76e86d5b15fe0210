// Reading a run's output, also while it grows. Only bytes that `order` covers are read; a reader ends at the final size once that
// is known, and until then waits for `progress.changed`.

import { basename } from 'node:path'
import { failure } from '../../contract/errors.ts'
import type { OutputStream } from '../../contract/output.ts'
import { beginning, type NumberedRecord, outputStreams, recordsFrom, type Sizes } from './files.ts'
import { openFiles, type ReadableFiles } from './readable-files.ts'
import { type Chunk, chunkBytes, recordBytes } from './record.ts'

export interface OutputProgress {
  /** A stream's final size; undefined while the run goes on. */
  finalSize(stream: OutputStream): number | undefined
  /** Resolves when there may be something new since it last resolved, or when the signal has aborted. */
  changed(signal: AbortSignal): Promise<void>
}

export interface ReadFrom {
  readonly progress: OutputProgress
  /** False: end at what there is now. */
  readonly follow: boolean
  readonly signal: AbortSignal
}

/** One stream's bytes from an offset on, at most `limit` of them. */
export async function* readBytes(
  dir: string,
  stream: OutputStream,
  { offset, limit = Infinity, ...from }: ReadFrom & { offset: number; limit?: number | undefined },
): AsyncGenerator<Uint8Array> {
  await using files = openFiles(dir)
  const end = offset + limit
  let at = offset
  for await (const records of readRecords(files, from)) {
    const last = records.findLast((record) => record.stream === stream)
    const covered = Math.min(last ? last.offset + last.length : 0, end)
    while (at < covered) {
      const bytes = await files.read(stream, at, Math.min(chunkBytes, covered - at))
      yield bytes
      at += bytes.byteLength
    }
    if (at >= end || at >= (from.progress.finalSize(stream) ?? Infinity)) return
  }
}

/** How much of each stream a reader has, as far as it says so. */
type CopiedSizes = { readonly [S in OutputStream]?: number | undefined }

/**
 * Both streams' chunks after a number, in the order in which they came. `had`: what the first `after` chunks come to by the reader's
 * account; throws `output.changed` when they do not here (power was lost, and what was not yet on disk has other chunks now).
 */
export async function* readChunks(
  dir: string,
  { after, had, ...from }: ReadFrom & { after: number; had?: CopiedSizes },
): AsyncGenerator<Chunk & { chunk: number }> {
  await using files = openFiles(dir)
  const skipped = { chunk: 0, stdout: 0, stderr: 0 }
  for await (const records of readRecords(files, from)) {
    for (const record of records) {
      if (record.chunk <= after) {
        skipped[record.stream] = record.offset + record.length
        skipped.chunk = record.chunk
        if (record.chunk === after) requireSame(dir, skipped, had)
      } else yield { ...record, bytes: await files.read(record.stream, record.offset, record.length) }
    }
  }
  if (skipped.chunk < after) requireSame(dir, skipped, had)
}

function requireSame(dir: string, here: Sizes, had: CopiedSizes = {}): void {
  if (outputStreams.every((stream) => had[stream] === undefined || had[stream] === here[stream])) return
  throw failure('output.changed', { run: basename(dir) })
}

/** The records as they come, from the first; ends when they reach the final sizes. */
async function* readRecords(files: ReadableFiles, { follow, progress, signal }: ReadFrom): AsyncGenerator<NumberedRecord[]> {
  let position = beginning
  for (;;) {
    signal.throwIfAborted()
    // Asked before looking: what is final now has all of its records.
    const final = { stdout: progress.finalSize('stdout'), stderr: progress.finalSize('stderr') }
    const order = await files.order(position.chunk * recordBytes)
    // Asked after reading `order`, since bytes are written before their record.
    const found = recordsFrom(position, order, order.byteLength === 0 ? position : await files.sizes())
    position = found.position
    yield found.records
    if (position.stdout >= (final.stdout ?? Infinity) && position.stderr >= (final.stderr ?? Infinity)) return
    if (found.records.length > 0) continue
    if (!follow) return
    await progress.changed(signal)
  }
}
