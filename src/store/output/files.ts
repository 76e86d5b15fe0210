// The files of one run's output: `stdout` and `stderr` hold the bytes, `order` the chunk records. Bytes that no record covers are
// not output yet, and records whose bytes are not there do not count: a crash between the two writes can leave either.

import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { asMusterError, failure, isOutOfDescriptors } from '../../contract/errors.ts'
import { describeFileProblem } from '../../contract/file-problem.ts'
import type { OutputStream } from '../../contract/output.ts'
import { type ChunkRecord, parseRecord, recordBytes } from './record.ts'

export const outputStreams = ['stdout', 'stderr'] as const satisfies readonly OutputStream[]

export type Sizes = Readonly<Record<OutputStream, number>>

export interface OutputPosition extends Sizes {
  /** Chunks so far. */
  readonly chunk: number
}

export const beginning: OutputPosition = { chunk: 0, stdout: 0, stderr: 0 }

export interface NumberedRecord extends ChunkRecord {
  /** From 1. */
  readonly chunk: number
}

export function outputFiles(dir: string): Record<OutputStream | 'order', string> {
  return { stdout: join(dir, 'stdout'), stderr: join(dir, 'stderr'), order: join(dir, 'order') }
}

/** How many bytes the streams' files hold now; 0 for a run that has not begun to write. */
export async function outputSizes(dir: string): Promise<Sizes> {
  const files = outputFiles(dir)
  const [stdout, stderr] = await Promise.all([sizeOf(files.stdout), sizeOf(files.stderr)])
  return { stdout, stderr }
}

async function sizeOf(file: string): Promise<number> {
  try {
    return (await stat(file)).size
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 0
    throw error
  }
}

/**
 * The records that go on from a position, read from that position of `order` on, and the position after them. They end at the
 * first that is torn, malformed, not where its stream ended, or beyond the bytes that the stream's file has.
 */
export function recordsFrom(
  from: OutputPosition,
  order: Uint8Array,
  sizes: Sizes,
): { records: NumberedRecord[]; position: OutputPosition } {
  const ends = { stdout: from.stdout, stderr: from.stderr }
  const records: NumberedRecord[] = []
  for (let at = 0; at + recordBytes <= order.byteLength; at += recordBytes) {
    const record = parseRecord(order.subarray(at, at + recordBytes))
    if (!record || record.offset !== ends[record.stream] || record.offset + record.length > sizes[record.stream]) break
    ends[record.stream] += record.length
    records.push({ ...record, chunk: from.chunk + records.length + 1 })
  }
  return { records, position: { ...ends, chunk: from.chunk + records.length } }
}

/** What the system says of a write that failed in a directory, as `store.unavailable`. */
export function asWriteProblem(thrown: unknown, dir: string): unknown {
  if (!(thrown instanceof Error) || !('syscall' in thrown)) return thrown
  if (isOutOfDescriptors(thrown)) return asMusterError(thrown)
  return failure('store.unavailable', { file: dir, problem: describeFileProblem(thrown) }, { cause: thrown })
}
