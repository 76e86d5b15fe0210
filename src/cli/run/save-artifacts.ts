// Saves artifacts below a directory. Their names come from a host: whatever they are, nothing is written outside of it, through a
// link, or over what is there already, unless that was asked for. Each file is there whole, with the digest that was told, or not.

import { randomBytes } from 'node:crypto'
import { type FileHandle, lstat, mkdir, open, realpath, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Artifact } from '../../contract/artifact.ts'
import { failure, MusterError } from '../../contract/errors.ts'
import { describeFileProblem } from '../../contract/file-problem.ts'

export interface Saving {
  readonly into: string
  /** Replace files that are there. */
  readonly force: boolean
  fetch(artifact: Artifact, take: (bytes: Uint8Array) => Promise<void>): Promise<void>
  onBytes(artifact: Artifact, count: number): void
}

/** Answers the files, in the order of the artifacts. Throws `file.exists` before anything is fetched, `file.unwritable`, or what `fetch` throws. */
export async function saveArtifacts(artifacts: readonly Artifact[], saving: Saving): Promise<string[]> {
  const root = await unwritable(saving.into, async () => {
    await mkdir(saving.into, { recursive: true })
    return realpath(saving.into)
  })
  if (!saving.force) await refuseExisting(root, artifacts)
  const files: string[] = []
  for (const artifact of artifacts) files.push(await saveOne(root, artifact, saving))
  return files
}

async function refuseExisting(root: string, artifacts: readonly Artifact[]): Promise<void> {
  const found: string[] = []
  for (const { name } of artifacts) if (await isThere(join(root, name))) found.push(join(root, name))
  const [file, ...others] = found
  if (file !== undefined) throw failure('file.exists', { file, others: others.length })
}

async function isThere(file: string): Promise<boolean> {
  try {
    await lstat(file)
    return true
  } catch (error) {
    // What else may be wrong with it is told when it is written.
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return false
    throw failure('file.unwritable', { file, problem: describeFileProblem(error) }, { cause: error })
  }
}

async function saveOne(root: string, artifact: Artifact, { force, fetch, onBytes }: Saving): Promise<string> {
  const file = join(root, artifact.name)
  const fresh = join(dirname(file), `.muster-${randomBytes(6).toString('hex')}.part`)
  const target = await unwritable(file, async () => {
    await makeParents(root, artifact.name)
    return open(fresh, 'wx', artifact.mode | 0o200)
  })
  try {
    await fetch(artifact, async (bytes) => {
      await unwritable(file, () => target.writev([bytes]))
      onBytes(artifact, bytes.byteLength)
    })
    await unwritable(file, () => finish(target, artifact))
    // Another may have come to lie there meanwhile.
    if (!force && (await isThere(file))) throw failure('file.exists', { file, others: 0 })
    await unwritable(file, () => rename(fresh, file))
    return file
  } catch (error) {
    await rm(fresh, { force: true })
    throw error
  } finally {
    await target.close()
  }
}

/** Directory by directory, so that a link among them is seen before anything is made behind it. */
async function makeParents(root: string, name: string): Promise<void> {
  let dir = root
  for (const part of name.split('/').slice(0, -1)) {
    dir = join(dir, part)
    await mkdir(dir).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error
    })
    if (!(await lstat(dir)).isDirectory())
      throw failure('file.unwritable', { file: join(root, name), problem: `${dir} is a link, or no directory` })
  }
}

async function finish(target: FileHandle, { mtime }: Artifact): Promise<void> {
  await target.utimes(new Date(mtime), new Date(mtime))
  await target.sync()
}

async function unwritable<T>(file: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof MusterError) throw error
    throw failure('file.unwritable', { file, problem: describeFileProblem(error) }, { cause: error })
  }
}
