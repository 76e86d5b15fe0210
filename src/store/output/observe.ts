// For output that a process writes straight into its files: notes their growth in `order`. Used by the host and its keeper.
// A note is synchronous inside: two sizes and one small write cost microseconds, and two notes can never interleave.

import { constants, statSync, writeSync } from 'node:fs'
import { mkdir, open } from 'node:fs/promises'
import type { OutputStream } from '../../contract/output.ts'
import { asWriteProblem, type OutputPosition, outputFiles, outputStreams, type Sizes } from './files.ts'
import { wholePosition } from './position.ts'
import { chunkBytes, encodeRecord, recordBytes } from './record.ts'

export interface OutputObserver {
  /** Writes down what has grown since the last note: one record for each stream, or more where it grew by more than a chunk. */
  note(): Promise<void>
  /** A last note, once nobody writes any more. Answers the final sizes when bytes and records are on disk. */
  close(): Promise<{ stdout: number; stderr: number }>
}

/** Goes on after the records that are there and whole; what a crash left behind them is dropped. One observer for a directory. */
export async function observeOutput(dir: string): Promise<OutputObserver> {
  try {
    return await observe(dir)
  } catch (error) {
    throw asWriteProblem(error, dir)
  }
}

async function observe(dir: string): Promise<OutputObserver> {
  await using opened = new AsyncDisposableStack()
  const files = outputFiles(dir)
  await mkdir(dir, { recursive: true, mode: 0o700 })
  const order = opened.use(await open(files.order, constants.O_RDWR | constants.O_CREAT, 0o600))
  const sizes = (): Sizes => ({ stdout: sizeOf(files.stdout), stderr: sizeOf(files.stderr) })
  let position = await wholePosition(order, sizes())
  await order.truncate(position.chunk * recordBytes)
  const parts = opened.move()

  function note(): void {
    const { records, after } = growth(position, sizes())
    if (records.length === 0) return
    // At its place, not at the end: a record that a full disk cut short is written over by the next note.
    writeAll(order.fd, Buffer.concat(records), position.chunk * recordBytes)
    position = after
  }

  return {
    async note() {
      try {
        note()
      } catch (error) {
        throw asWriteProblem(error, dir)
      }
    },
    async close() {
      try {
        note()
        if (position.chunk > 0) await settle(files, position)
        return { stdout: position.stdout, stderr: position.stderr }
      } catch (error) {
        throw asWriteProblem(error, dir)
      } finally {
        await parts.disposeAsync()
      }
    },
  }
}

function growth(before: OutputPosition, sizes: Sizes): { records: Buffer[]; after: OutputPosition } {
  const at = Date.now()
  const records: Buffer[] = []
  const ends = { stdout: before.stdout, stderr: before.stderr }
  for (const stream of outputStreams) {
    while (ends[stream] < sizes[stream]) {
      const length = Math.min(chunkBytes, sizes[stream] - ends[stream])
      records.push(encodeRecord({ stream, offset: ends[stream], length, at }))
      ends[stream] += length
    }
  }
  return { records, after: { ...ends, chunk: before.chunk + records.length } }
}

function writeAll(file: number, bytes: Uint8Array, at: number): void {
  for (let written = 0; written < bytes.byteLength; ) {
    written += writeSync(file, bytes, written, bytes.byteLength - written, at + written)
  }
}

/**
 * Puts on disk what readers will be told is final: an end that is on record without its bytes would keep them waiting. A program
 * that has cut its own output leaves a hole of zeros there, for the same reason.
 */
async function settle(files: Record<OutputStream | 'order', string>, position: OutputPosition): Promise<void> {
  for (const name of [...outputStreams, 'order'] as const) {
    if (name !== 'order' && position[name] === 0) continue
    await using file = await open(files[name], 'r+')
    if (name !== 'order' && (await file.stat()).size < position[name]) await file.truncate(position[name])
    await file.datasync()
  }
}

function sizeOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0
}
