// A file that is there whole or not at all: written beside its place, flushed, then renamed.

import { rename, rm, writeFile } from 'node:fs/promises'
import { failure } from '../contract/errors.ts'
import { describeFileProblem } from './file-problem.ts'

/** `mode` is that of a new file; it replaces an old one with its mode. Throws `file.unwritable`. */
export async function writeFileWhole(file: string, text: string, mode = 0o666): Promise<void> {
  const fresh = `${file}.${process.pid}.new`
  try {
    await writeFile(fresh, text, { mode, flush: true })
    await rename(fresh, file)
  } catch (error) {
    await rm(fresh, { force: true })
    throw failure('file.unwritable', { file, problem: describeFileProblem(error) }, { cause: error })
  }
}
