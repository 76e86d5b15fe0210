// Opens a regular file in a directory of the jail: for reading, or what a transfer has staged there.

import { type BigIntStats, closeSync, constants, fstatSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { failure } from '../../contract/errors.ts'
import { kindOf } from './entry.ts'
import { type Inside, unreadable } from './jail.ts'
import type { SmallFiles } from './small-files.ts'

export interface OpenFile {
  readonly file: FileHandle
  readonly found: BigIntStats
}

/** Not held up by a FIFO, and not led on by a link. */
const toRead = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK

/** Throws `file.unreadable`. */
export async function openToRead(dir: Inside, path: string): Promise<OpenFile> {
  const file = await open(dir.entry(dir.name), toRead).catch((error: unknown) => refuse(path, error))
  try {
    const found = await file.stat({ bigint: true })
    await requireFile(dir, path, found)
    return { file, found }
  } catch (error) {
    await file.close()
    throw error
  }
}

/** The same by its number, for files of which there are many. Whoever asks closes it. Throws `file.unreadable`. */
export async function openSmall(files: SmallFiles, dir: Inside, path: string): Promise<{ fd: number; found: BigIntStats }> {
  const fd = await openNumber(files, dir, path)
  try {
    const found = fstatSync(fd, { bigint: true })
    await requireFile(dir, path, found)
    return { fd, found }
  } catch (error) {
    closeSync(fd)
    throw error
  }
}

async function openNumber(files: SmallFiles, dir: Inside, path: string): Promise<number> {
  try {
    return await files.open(dir.entry(dir.name), toRead)
  } catch (error) {
    return refuse(path, error)
  }
}

function refuse(path: string, error: unknown): never {
  if ((error as NodeJS.ErrnoException).code === 'ELOOP') throw noFile(path, 'link')
  throw unreadable(path, error)
}

async function requireFile(dir: Inside, path: string, found: BigIntStats): Promise<void> {
  if (!found.isFile()) throw noFile(path, kindOf(found))
  await dir.confirm(found)
}

function noFile(path: string, kind: string) {
  const what = kind === 'other' ? 'it is no regular file' : `it is a ${kind}, and no regular file`
  return failure('file.unreadable', { file: path, problem: what })
}
