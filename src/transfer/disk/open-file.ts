// Opens a regular file in a directory of the jail: for reading, or what a transfer has staged there.

import { type BigIntStats, constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { failure } from '../../contract/errors.ts'
import { kindOf } from './entry.ts'
import { type Inside, unreadable } from './jail.ts'

export interface OpenFile {
  readonly file: FileHandle
  readonly found: BigIntStats
}

/** Not held up by a FIFO, and not led on by a link. Throws `file.unreadable`. */
export async function openToRead(dir: Inside, path: string): Promise<OpenFile> {
  let file: FileHandle
  try {
    file = await open(dir.entry(dir.name), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ELOOP') throw noFile(path, 'link')
    throw unreadable(path, error)
  }
  try {
    const found = await file.stat({ bigint: true })
    if (!found.isFile()) throw noFile(path, kindOf(found))
    await dir.confirm(found)
    return { file, found }
  } catch (error) {
    await file.close()
    throw error
  }
}

function noFile(path: string, kind: string) {
  const what = kind === 'other' ? 'it is no regular file' : `it is a ${kind}, and no regular file`
  return failure('file.unreadable', { file: path, problem: what })
}
