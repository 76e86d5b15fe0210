// A file that is there whole or not at all: written beside its place, flushed, then renamed. It is its owner's alone, since what a
// command answers may be a token.

import { rename, rm, writeFile } from 'node:fs/promises'
import { failure } from '../contract/errors.ts'
import { describeFileProblem } from '../contract/file-problem.ts'

/** Replaces an old file and its mode. Throws `file.unwritable`. */
export async function writeFileWhole(file: string, text: string): Promise<void> {
  const fresh = `${file}.${process.pid}.new`
  try {
    await writeFile(fresh, text, { mode: 0o600, flush: true })
    await rename(fresh, file)
  } catch (error) {
    await rm(fresh, { force: true })
    throw failure('file.unwritable', { file, problem: describeFileProblem(error) }, { cause: error })
  }
}
