// A run's output files, open for reading. Each is opened when it is first needed: a run that has written nothing may have none
// yet.

import { fstatSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { failure } from '../../contract/errors.ts'
import type { OutputStream } from '../../contract/output.ts'
import { outputFiles, type Sizes } from './files.ts'
import { recordBytes } from './record.ts'

/** How much of `order` is looked at in one go: what a slow reader holds of it all the time, as objects several times as large. */
const mostOrderBytes = 512 * recordBytes

export interface ReadableFiles extends AsyncDisposable {
  /** `order` from a byte on, as far as it goes now, or a bounded part of that. */
  order(from: number): Promise<Uint8Array>
  sizes(): Promise<Sizes>
  /** Rejects with `file.unreadable` when the file has become shorter than it was. */
  read(stream: OutputStream, offset: number, length: number): Promise<Uint8Array>
}

export function openFiles(dir: string): ReadableFiles {
  const paths = outputFiles(dir)
  const opened = new Map<string, FileHandle>()

  async function fileAt(path: string): Promise<FileHandle | undefined> {
    const known = opened.get(path)
    if (known) return known
    try {
      const file = await open(path, 'r')
      opened.set(path, file)
      return file
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
      throw error
    }
  }

  async function sizeOf(path: string): Promise<number> {
    const file = await fileAt(path)
    // Synchronous: it takes a microsecond, and a reader that follows asks at every look.
    return file ? fstatSync(file.fd).size : 0
  }

  return {
    async order(from) {
      const there = (await sizeOf(paths.order)) - from
      const file = await fileAt(paths.order)
      if (!file || there < recordBytes) return new Uint8Array()
      const buffer = Buffer.allocUnsafe(Math.min(there, mostOrderBytes))
      return buffer.subarray(0, await fill(file, buffer, from))
    },
    sizes: async () => ({ stdout: await sizeOf(paths.stdout), stderr: await sizeOf(paths.stderr) }),
    async read(stream, offset, length) {
      const file = await fileAt(paths[stream])
      const buffer = Buffer.allocUnsafe(length)
      if (file && (await fill(file, buffer, offset)) === length) return buffer
      throw failure('file.unreadable', {
        file: paths[stream],
        problem: `it was cut before byte ${offset + length} while it was being read`,
      })
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([...opened.values()].map((file) => file.close()))
    },
  }
}

/** Fills the buffer from a place in the file on; answers how much there was. */
export async function fill(file: FileHandle, buffer: Buffer, from: number): Promise<number> {
  let filled = 0
  while (filled < buffer.byteLength) {
    const { bytesRead } = await file.read(buffer, filled, buffer.byteLength - filled, from + filled)
    if (bytesRead === 0) break
    filled += bytesRead
  }
  return filled
}
