// Copies one opened file into a directory, under the SHA-256 of what was copied: there whole, and on disk, or not at all.

import { createHash } from 'node:crypto'
import type { Stats } from 'node:fs'
import { type FileHandle, open, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { type Artifact, artifactLimits } from '../../contract/artifact.ts'
import { isOutOfDescriptors } from '../../contract/errors.ts'
import { describeFileProblem } from '../../contract/file-problem.ts'
import { NotKept, openInside } from './open-inside.ts'

const pieceBytes = 1024 * 1024
const lastTimeMs = Date.UTC(9999, 11, 31)

export interface Copying {
  readonly root: string
  readonly name: string
  /** Where to. */
  readonly dir: string
  /** At most so many bytes, and what to say of a file with more. */
  readonly room: { readonly bytes: number; readonly reason: string }
  readonly signal: AbortSignal
}

/** Throws NotKept, `process.descriptors`, or the signal's reason. */
export async function copyArtifact({ root, name, dir, room, signal }: Copying): Promise<Artifact> {
  const source = await openInside(root, name)
  const fresh = join(dir, 'copying')
  try {
    const stats = await source.stat()
    if (stats.size > room.bytes) throw new NotKept(room.reason)
    const { bytes, sha256 } = await copyTo(fresh, source, room, signal)
    await rename(fresh, join(dir, sha256))
    return { name, bytes, sha256, mtime: timeOf(stats), mode: stats.mode & 0o777 }
  } catch (error) {
    await rm(fresh, { force: true })
    if (error instanceof NotKept || isOutOfDescriptors(error) || signal.aborted) throw error
    throw new NotKept(`it could not be copied: ${describeFileProblem(error)}`, { cause: error })
  } finally {
    await source.close()
  }
}

async function copyTo(
  file: string,
  source: FileHandle,
  room: Copying['room'],
  signal: AbortSignal,
): Promise<{ bytes: number; sha256: string }> {
  const target = await open(file, 'wx', 0o600)
  try {
    const hash = createHash('sha256')
    const piece = Buffer.allocUnsafe(pieceBytes)
    for (let bytes = 0; ; ) {
      signal.throwIfAborted()
      const { bytesRead } = await source.read(piece, 0, pieceBytes, bytes)
      if (bytesRead === 0) {
        await target.sync()
        return { bytes, sha256: hash.digest('hex') }
      }
      // Somebody may still be writing it.
      if (bytes + bytesRead > room.bytes) throw new NotKept(room.reason)
      hash.update(piece.subarray(0, bytesRead))
      await target.writev([piece.subarray(0, bytesRead)])
      bytes += bytesRead
    }
  } finally {
    await target.close()
  }
}

/** A file system may have any time; an event has one of four digits' years. */
function timeOf({ mtimeMs }: Stats): string {
  return new Date(Math.min(Math.max(0, mtimeMs), lastTimeMs)).toISOString()
}

/** What is said of a file with more bytes than one may have. */
export const tooLarge = `it has more than ${artifactLimits.bytes / 1024 ** 3} GiB`
