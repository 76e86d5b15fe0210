// Opens a file for reading if it is a regular one and lies in a directory, whatever is moved or linked meanwhile: what was opened is
// asked where it is, not what its name led to before.

import { constants } from 'node:fs'
import { type FileHandle, lstat, open, readlink, realpath, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { isOutOfDescriptors } from '../../contract/errors.ts'
import { describeFileProblem } from '../../contract/file-problem.ts'

/** Why one file is not kept, for people. */
export class NotKept extends Error {
  override readonly name = 'NotKept'
}

interface Kind {
  isFile(): boolean
  isSymbolicLink(): boolean
  isDirectory(): boolean
  isFIFO(): boolean
  isSocket(): boolean
}

/** `root` has its path resolved. Throws NotKept, or `process.descriptors`. */
export async function openInside(root: string, name: string): Promise<FileHandle> {
  const path = join(root, name)
  try {
    // Looked at first: to open a device can already do something.
    requireRegular(await lstat(path), name)
    // Not held up by a FIFO that has taken its place since.
    const handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
    try {
      requireRegular(await handle.stat(), name)
      await requireAt(handle, path)
      return handle
    } catch (error) {
      await handle.close()
      throw error
    }
  } catch (error) {
    if (error instanceof NotKept || isOutOfDescriptors(error)) throw error
    throw new NotKept(reasonOf(error), { cause: error })
  }
}

function reasonOf(error: unknown): string {
  const { code } = error as NodeJS.ErrnoException
  if (code === 'ENOENT' || code === 'ENOTDIR') return 'there is no such file'
  if (code === 'ELOOP') return link
  return `it cannot be read: ${describeFileProblem(error)}`
}

const link = 'it is a link, and links are not followed'

function requireRegular(found: Kind, name: string): void {
  if (found.isFile()) return
  if (found.isSymbolicLink()) throw new NotKept(link)
  if (found.isDirectory()) throw new NotKept(`it is a directory; "${name}/**" names the files in it`.slice(0, 400))
  throw new NotKept(
    `it is a ${found.isFIFO() ? 'FIFO' : found.isSocket() ? 'socket' : 'device'}, and only regular files are kept`,
  )
}

async function requireAt(handle: FileHandle, path: string): Promise<void> {
  const at = await placeOf(handle, path)
  if (at === path) return
  if (at === `${path} (deleted)`) throw new NotKept('it was removed before it could be kept')
  throw new NotKept('its path leads through a link, and links are not followed')
}

/** Where the kernel says that the opened file is; where it does not say, where its path leads now, if that is the same file. */
async function placeOf(handle: FileHandle, path: string): Promise<string> {
  try {
    return await readlink(`/proc/self/fd/${handle.fd}`)
  } catch {
    const [resolved, opened, named] = [await realpath(path), await handle.stat(), await stat(path)]
    return opened.ino === named.ino && opened.dev === named.dev ? resolved : `${path} (deleted)`
  }
}
