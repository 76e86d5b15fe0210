// Reading for a copy: what is at a path, a file's bytes from an offset on, its SHA-256, several small files at once.

import { hash } from 'node:crypto'
import { closeSync, fstatSync } from 'node:fs'
import { lstat } from 'node:fs/promises'
import { failure, MusterError } from '../../contract/errors.ts'
import { type FileRecord, type FoundFile, fileLimits } from '../../contract/file.ts'
import { describeFileProblem } from '../../contract/file-problem.ts'
import { encodeRecord } from '../records.ts'
import type { Counts } from './count.ts'
import { describe } from './entry.ts'
import { type Inside, type Jail, openInside, plainPath, unreadable } from './jail.ts'
import { type OpenFile, openSmall, openToRead } from './open-file.ts'
import { readOn } from './read-on.ts'
import type { SmallFiles } from './small-files.ts'

/** Null where there is nothing. The directory that it would be in has to be there. */
export async function look(jail: Jail, path: string): Promise<FoundFile | null> {
  const isRoot = jail.roots.some((root) => plainPath(root) === path)
  await using dir = await openInside(jail, path, isRoot ? 'directory' : 'entry')
  try {
    const found = await lstat(isRoot ? dir.entry('.') : dir.entry(dir.name), { bigint: true })
    await dir.confirm()
    return { path, ...describe(found) }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error instanceof MusterError ? error : unreadable(path, error)
  }
}

export interface Reading {
  readonly path: string
  readonly version: string
  readonly offset: number
  readonly limit: number | undefined
  readonly counted: boolean
}

/** Throws `file.changed` when it is another version, also if it becomes one meanwhile. */
export async function* readVersion(
  jail: Jail,
  { path, version, offset, limit, counted }: Reading,
  counts: Counts,
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  await using dir = await openInside(jail, path, 'entry')
  const opened = await openToRead(dir, path)
  await using file = opened.file
  requireVersion(path, version, opened.found)
  const size = Number(opened.found.size)
  const end = limit === undefined ? size : Math.min(size, offset + limit)
  let at = offset
  for await (const bytes of told(path, readOn(file, { offset, end }, signal))) {
    if (counted) counts.add(version, at, bytes)
    at += bytes.byteLength
    yield bytes
  }
  requireVersion(path, version, await file.stat({ bigint: true }))
  if (at < end) throw failure('file.changed', { file: path })
}

export async function digestVersion(
  jail: Jail,
  { path, version }: { readonly path: string; readonly version: string },
  counts: Counts,
  signal: AbortSignal,
): Promise<{ bytes: number; sha256: string }> {
  await using dir = await openInside(jail, path, 'entry')
  const opened = await openToRead(dir, path)
  await using file = opened.file
  requireVersion(path, version, opened.found)
  const bytes = Number(opened.found.size)
  const sha256 = await counts.digest(version, bytes, opened, signal)
  requireVersion(path, version, await file.stat({ bigint: true }))
  return { bytes, sha256 }
}

function requireVersion(path: string, version: string, found: OpenFile['found']): void {
  if (describe(found).version !== version) throw failure('file.changed', { file: path })
}

async function* told(path: string, source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  try {
    yield* source
  } catch (error) {
    throw isSystemError(error) ? unreadable(path, error) : error
  }
}

/** So many are opened and read at once. */
const readingAtOnce = 8

export interface Gathering {
  /** The directory that they lie below, absolute. */
  readonly path: string
  readonly names: readonly string[]
  /** Throws what forbids this file. */
  readonly allow: (path: string) => void
  readonly files: SmallFiles
}

/** The records of the files, in their order; one that cannot be read is a record of why. */
export async function* gather(jail: Jail, { path, names, allow, files }: Gathering, signal: AbortSignal): AsyncGenerator<Buffer> {
  const dirs = heldDirectories(jail)
  try {
    for (let at = 0; at < names.length; at += readingAtOnce) {
      signal.throwIfAborted()
      const read = names.slice(at, at + readingAtOnce).map((name) => readRecord({ dirs, files, allow }, path, name))
      yield Buffer.concat(await Promise.all(read))
    }
  } finally {
    await dirs[Symbol.asyncDispose]()
  }
}

async function readRecord(
  { dirs, files, allow }: Pick<Gathering, 'files' | 'allow'> & { readonly dirs: HeldDirectories },
  base: string,
  name: string,
): Promise<Buffer> {
  const path = below(base, name)
  try {
    allow(path)
    const { fd, found } = await openSmall(files, await dirs.open(path), path)
    try {
      const { bytes, mode, modifiedAt, version } = describe(found)
      if (bytes > fileLimits.smallBytes)
        return problemRecord(name, failure('file.too_large', { path, bytes, limit: fileLimits.smallBytes }))
      const content = Buffer.alloc(bytes)
      if ((await files.read(fd, content)) < bytes || describe(fstatSync(fd, { bigint: true })).version !== version)
        return problemRecord(name, failure('file.changed', { file: path }))
      return encodeRecord({ kind: 'file', name, bytes, mode, modifiedAt, sha256: hash('sha256', content) }, content)
    } finally {
      closeSync(fd)
    }
  } catch (error) {
    return problemRecord(name, error instanceof MusterError ? error : unreadable(path, error))
  }
}

function problemRecord(name: string, { code, message }: MusterError): Buffer {
  const record: FileRecord = { kind: 'problem', name, code, problem: message }
  return encodeRecord(record)
}

export interface HeldDirectories extends AsyncDisposable {
  /** The directory in which the path is, as an entry of it; held until all are let go. */
  open(path: string): Promise<Inside>
  /** All that were opened. */
  all(): Promise<Inside[]>
}

/** Directories that many files of one request are in: each is opened once. */
export function heldDirectories(jail: Jail): HeldDirectories {
  const opened = new Map<string, Promise<Inside>>()
  const all = async () =>
    (await Promise.allSettled(opened.values())).flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
  return {
    async open(path) {
      const cut = path.lastIndexOf('/')
      const dir = path.slice(0, cut) || '/'
      const held = opened.get(dir) ?? openInside(jail, dir, 'directory')
      opened.set(dir, held)
      try {
        return { ...(await held), name: path.slice(cut + 1) }
      } catch (error) {
        // It may be made by what comes later.
        opened.delete(dir)
        throw error
      }
    },
    all,
    async [Symbol.asyncDispose]() {
      for (const dir of await all()) await dir[Symbol.asyncDispose]()
    },
  }
}

export function below(base: string, name: string): string {
  if (name === '') return base
  return base === '/' ? `/${name}` : `${base}/${name}`
}

export function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'syscall' in error
}

export function problemOf(error: unknown): string {
  return error instanceof MusterError ? error.message.replace(/\.$/, '') : describeFileProblem(error)
}
