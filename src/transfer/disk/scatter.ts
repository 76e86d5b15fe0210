// Writes several small files and directories below a directory, from records: each file whole beside its place, flushed, then renamed;
// the names are flushed once for each directory. What one of them meets stops no other.

import { hash } from 'node:crypto'
import { closeSync, constants, fchmodSync, fsync, futimesSync, lstatSync, writeSync } from 'node:fs'
import { link, mkdir, open, rename, rm } from 'node:fs/promises'
import { promisify } from 'node:util'
import { failure, MusterError } from '../../contract/errors.ts'
import { type FileRecord, fileLimits, type ScatterOutcome, type scatterFiles } from '../../contract/file.ts'
import type { ParsedOf } from '../../contract/operation.ts'
import { decodeRecords, type ReadRecord } from '../records.ts'
import { kindOf, secondsOf } from './entry.ts'
import { type Inside, type Jail, openInside, plainPath, unwritable } from './jail.ts'
import { type FreshNames, freshNames, sweep } from './leftovers.ts'
import { below, type HeldDirectories, heldDirectories } from './reading.ts'
import type { SmallFiles } from './small-files.ts'

const flushNumber = promisify(fsync)
/** So many are written and flushed at once: most of it is waiting for the disk. */
const writingAtOnce = 16

export interface Scattering {
  /** The directory that they lie below, absolute. */
  readonly path: string
  readonly replace: ParsedOf<typeof scatterFiles>['replace']
  /** Throws what forbids this one. */
  readonly allow: (path: string) => void
  readonly files: SmallFiles
}

type FileOf = Extract<FileRecord, { kind: 'file' }>
type DirectoryOf = Extract<FileRecord, { kind: 'directory' }>

/** Throws `file.record`. */
export async function scatter(
  jail: Jail,
  { path, replace, allow, files }: Scattering,
  body: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): Promise<ScatterOutcome[]> {
  await using dirs = heldDirectories(jail)
  const results: ScatterOutcome[] = []
  const under = new Set<Promise<void>>()
  const names = freshNames()
  const settled = async (name: string, work: Promise<string | undefined>) => {
    try {
      const sha256 = await work
      results.push({ name, ...(sha256 !== undefined && { sha256 }) })
    } catch (error) {
      const { code, message } = error instanceof MusterError ? error : unwritable(below(path, name), error)
      results.push({ name, code, problem: message })
    }
  }
  async function take({ record, content }: ReadRecord): Promise<void> {
    if (record.kind === 'problem') return void results.push({ name: record.name, code: record.code, problem: record.problem })
    const at = below(path, record.name)
    const permitted = async () => allow(at)
    if (record.kind === 'directory') {
      // What is to be in it may follow; and its time is given after what was before.
      await Promise.all(under)
      return await settled(
        record.name,
        permitted().then(() => makeDirectory(jail, dirs, at, record)),
      )
    }
    while (under.size >= writingAtOnce) await Promise.race(under)
    const one = settled(
      record.name,
      permitted().then(() => writeFile({ dirs, files, replace, fresh: names }, at, record, content)),
    ).finally(() => under.delete(one))
    under.add(one)
  }

  try {
    let records = 0
    for await (const read of decodeRecords(body)) {
      signal.throwIfAborted()
      if (++records > fileLimits.severalRecords)
        throw failure('file.record', { problem: `more than ${fileLimits.severalRecords} records` })
      await take(read)
    }
  } finally {
    // Before their directories are closed, however it ends: another may be open under the same number at once.
    await Promise.all(under)
  }
  await Promise.all((await dirs.all()).map((dir) => dir.sync()))
  return results
}

async function makeDirectory(
  jail: Jail,
  dirs: HeldDirectories,
  path: string,
  { mode, modifiedAt }: DirectoryOf,
): Promise<undefined> {
  if (!jail.roots.some((root) => plainPath(root) === path)) {
    const dir = await dirs.open(path)
    try {
      await mkdir(dir.entry(dir.name), 0o700)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
  }
  if (modifiedAt === undefined) return undefined
  await using itself = await openInside(jail, path, 'directory')
  await sweep(itself)
  await using handle = await open(itself.entry('.'), constants.O_RDONLY | constants.O_DIRECTORY)
  const seconds = secondsOf(modifiedAt)
  await handle.chmod(mode)
  await handle.utimes(seconds, seconds)
  return undefined
}

/** Answers its SHA-256, counted here. */
async function writeFile(
  { dirs, files, replace, fresh: names }: Pick<Scattering, 'files' | 'replace'> & { dirs: HeldDirectories; fresh: FreshNames },
  path: string,
  { mode, modifiedAt, sha256 }: FileOf,
  content: Buffer,
): Promise<string> {
  if (hash('sha256', content) !== sha256) throw failure('file.damaged', { file: path })
  const dir = await dirs.open(path)
  const target = dir.entry(dir.name)
  const fresh = dir.entry(names.next())
  const there = lstatSync(target, { throwIfNoEntry: false })
  if (there && !there.isFile()) throw failure('file.unwritable', { file: path, problem: `a ${kindOf(there)} is there` })
  if (there && replace === 'nothing') throw failure('file.exists', { file: path, others: 0 })
  try {
    await writeWhole(files, fresh, content, { mode, modifiedAt })
    await putInPlace(dir, fresh, target, replace, path)
  } catch (error) {
    await rm(fresh, { force: true })
    throw error
  }
  return sha256
}

async function writeWhole(
  files: SmallFiles,
  fresh: string,
  content: Buffer,
  { mode, modifiedAt }: Pick<FileOf, 'mode' | 'modifiedAt'>,
): Promise<void> {
  // By its number, and at once what waits for no disk: in other threads that would cost several times as much.
  const fd = await files.open(fresh, 'wx', 0o600)
  try {
    writeWholly(fd, content)
    fchmodSync(fd, mode)
    const seconds = secondsOf(modifiedAt)
    futimesSync(fd, seconds, seconds)
    await flushNumber(fd)
  } finally {
    closeSync(fd)
  }
}

function writeWholly(fd: number, content: Buffer): void {
  for (let at = 0; at < content.byteLength; ) at += writeSync(fd, content, at)
}

async function putInPlace(
  dir: Inside,
  fresh: string,
  target: string,
  replace: Scattering['replace'],
  path: string,
): Promise<void> {
  await dir.confirm()
  if (replace === 'files') return await rename(fresh, target)
  try {
    await link(fresh, target)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    throw failure('file.exists', { file: path, others: 0 }, { cause: error })
  }
  await rm(fresh)
}
