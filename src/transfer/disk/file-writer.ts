// Writes a file on from an offset, in order, one write under way while the next is filled. Where the system can, past its page cache
// (O_DIRECT): what is flushed to disk at the end anyway costs a third of the processor's time that way, and the flush is short.

import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { bufferBytes, giveBack, takeBuffers } from './aligned.ts'
import { flushBehind } from './flush-behind.ts'

/** What is written past the page cache begins and ends at a multiple of this. */
const blockBytes = 4096
const slots = 3
const noSuchWay: ReadonlySet<string> = new Set(['EINVAL', 'ENOTSUP', 'EOPNOTSUPP'])

export interface FileWriter {
  /** Resolves when the bytes are taken over, which is long before they are written. Throws what the disk has said of former ones. */
  write(bytes: Uint8Array): Promise<void>
  /** So many zeros, of which whole blocks become a hole. */
  skip(count: number): Promise<void>
  /** Resolves when all is written. Throws what the disk says. */
  end(): Promise<void>
}

export function fileWriter(file: FileHandle, from: number): FileWriter {
  const buffers = takeBuffers(slots)
  const busy: Promise<unknown>[] = []
  const behind = flushBehind(file)
  let past: Promise<FileHandle | undefined> | undefined
  let under: Promise<void> = Promise.resolve()
  /** Where the buffer that is filled begins in the file. */
  let at = from
  let current = 0
  let filled = 0

  /** Up to where blocks begin in the file, they do not in the buffer. */
  const room = () => (at % blockBytes === 0 ? bufferBytes : blockBytes - (at % blockBytes)) - filled

  async function flush(): Promise<void> {
    const bytes = (buffers[current] as Buffer).subarray(0, filled)
    const position = at
    // In order: what is there of the file is always its beginning.
    under = under.then(() => put(bytes, position))
    // Heard of when it is waited for.
    under.catch(() => undefined)
    busy[current] = under
    at += filled
    filled = 0
    current = (current + 1) % slots
    await busy[current]
  }

  async function put(bytes: Buffer, position: number): Promise<void> {
    const whole = position % blockBytes === 0 ? bytes.byteLength - (bytes.byteLength % blockBytes) : 0
    const written = whole > 0 ? await putPast(bytes.subarray(0, whole), position) : 0
    await putAll(file, bytes.subarray(written), position + written)
    behind.wrote(bytes.byteLength - written)
  }

  /** Answers how many bytes: none where this file system has no such way. */
  async function putPast(bytes: Buffer, position: number): Promise<number> {
    past ??= openPast(file)
    const handle = await past
    if (!handle) return 0
    try {
      await putAll(handle, bytes, position)
      return bytes.byteLength
    } catch (error) {
      if (!noSuchWay.has((error as NodeJS.ErrnoException).code ?? '')) throw error
      past = Promise.resolve(undefined)
      await handle.close()
      return 0
    }
  }

  async function write(bytes: Uint8Array): Promise<void> {
    for (let taken = 0; taken < bytes.byteLength; ) {
      const piece = bytes.subarray(taken, taken + room())
      ;(buffers[current] as Buffer).set(piece, filled)
      filled += piece.byteLength
      taken += piece.byteLength
      if (room() === 0) await flush()
    }
  }

  async function fill(count: number): Promise<void> {
    if (count > 0) await write(Buffer.alloc(count))
  }

  return {
    write,
    async skip(count) {
      const lead = Math.min(count, (blockBytes - ((at + filled) % blockBytes)) % blockBytes)
      await fill(lead)
      if (filled > 0) await flush()
      const rest = (count - lead) % blockBytes
      at += count - lead - rest
      await fill(rest)
    },
    async end() {
      try {
        if (filled > 0) await flush()
        await under
      } finally {
        await under.catch(() => undefined)
        await (await past)?.close()
        giveBack(buffers)
        await behind.over()
      }
    },
  }
}

/** The same file by another handle. Undefined where there is no such way to it. */
async function openPast(file: FileHandle): Promise<FileHandle | undefined> {
  if (constants.O_DIRECT === undefined) return undefined
  return await open(`/proc/self/fd/${file.fd}`, constants.O_WRONLY | constants.O_DIRECT).catch(() => undefined)
}

async function putAll(file: FileHandle, bytes: Buffer, position: number): Promise<void> {
  for (let at = 0; at < bytes.byteLength; ) {
    const { bytesWritten } = await file.write(bytes, at, bytes.byteLength - at, position + at)
    at += bytesWritten
  }
}
