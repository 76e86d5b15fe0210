// What has come of a large file lies beside its target under a name of its own, until all of it is there and its SHA-256 is the one that
// was told: then it takes the target's name. A transfer is gone on with where it broke off, also by another process.
//
// The SHA-256 is counted as bytes come. A process that did not see them come reads them once.

import { createHash, type Hash } from 'node:crypto'
import { type BigIntStats, constants } from 'node:fs'
import { type FileHandle, link, lstat, open, rename, rm } from 'node:fs/promises'
import { failure, MusterError } from '../../contract/errors.ts'
import type { keepFile } from '../../contract/file.ts'
import type { OutputOf, ParsedOf } from '../../contract/operation.ts'
import { append } from './append.ts'
import { describe, kindOf, secondsOf } from './entry.ts'
import { type Inside, type Jail, openInside, unwritable } from './jail.ts'
import { partName, sweep } from './leftovers.ts'
import { openToRead } from './open-file.ts'
import { readOn } from './read-on.ts'
import { isSystemError } from './reading.ts'

const mostKnown = 1_000

interface Known {
  /** Of the first `front` bytes. */
  readonly hash: Hash
  front: number
}

/** Who is writing to a transfer now. */
interface Writing {
  readonly ending: AbortController
  readonly over: Promise<unknown>
}

export interface Staging {
  staged(jail: Jail, path: string, transfer: string): Promise<{ bytes: number }>
  put(jail: Jail, to: Put, body: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<{ bytes: number }>
  keep(jail: Jail, input: ParsedOf<typeof keepFile>, signal: AbortSignal): Promise<OutputOf<typeof keepFile>>
  drop(jail: Jail, path: string, transfer: string): Promise<{ dropped: boolean }>
}

interface Put {
  readonly path: string
  readonly transfer: string
  readonly offset: number
}

export function makeStaging(): Staging {
  const known = new Map<string, Known>()
  const writing = new Map<string, Writing>()

  function note(key: string, state: Known): void {
    known.delete(key)
    known.set(key, state)
    for (const [oldest] of known) {
      if (known.size <= mostKnown) break
      known.delete(oldest)
    }
  }

  /** One writer at a time: a new one comes when the way of the former broke, which may not have noticed. */
  async function alone<T>(key: string, path: string, signal: AbortSignal, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const before = writing.get(key)
    const ending = new AbortController()
    const begun = Promise.withResolvers<void>()
    const mine: Writing = { ending, over: begun.promise }
    writing.set(key, mine)
    before?.ending.abort(failure('file.taken_over', { file: path }))
    try {
      await before?.over
      return await work(AbortSignal.any([signal, ending.signal]))
    } finally {
      begun.resolve()
      if (writing.get(key) === mine) writing.delete(key)
    }
  }

  /** As far as the file on disk goes. */
  async function stateOf(key: string, part: FileHandle, size: number, signal: AbortSignal): Promise<Known> {
    const state = known.get(key)
    if (state && state.front <= size) return state
    const fresh: Known = { hash: createHash('sha256'), front: 0 }
    for await (const bytes of readOn(part, { offset: 0, end: size }, signal)) {
      fresh.hash.update(bytes)
      fresh.front += bytes.byteLength
    }
    return fresh
  }

  return {
    async staged(jail, path, transfer) {
      await using dir = await openInside(jail, path, 'entry')
      try {
        await sweep(dir, transfer)
        const found = await lookAt(dir, partName(transfer))
        const front = known.get(keyOf(path, transfer))?.front
        const size = found?.isFile() ? Number(found.size) : 0
        return { bytes: found && front !== undefined ? Math.min(front, size) : size }
      } catch (error) {
        throw told(path, error)
      }
    },

    async put(jail, { path, transfer, offset }, body, outer) {
      const key = keyOf(path, transfer)
      return await alone(key, path, outer, async (signal) => {
        await using dir = await openInside(jail, path, 'entry')
        try {
          const opened = await openPart(dir, path, transfer)
          await using part = opened.file
          const state = await stateOf(key, part, Number(opened.found.size), signal)
          if (offset !== state.front) throw failure('file.gap', { file: path, at: state.front, offset })
          note(key, state)
          try {
            await append(part, state, body, signal)
          } catch (error) {
            // What was counted and could not be written would be counted twice.
            if (isSystemError(error)) known.delete(key)
            throw error
          }
          return { bytes: state.front }
        } catch (error) {
          throw told(path, error)
        }
      })
    },

    async keep(jail, input, outer) {
      const { path, transfer, bytes, sha256 } = input
      const key = keyOf(path, transfer)
      return await alone(key, path, outer, async (signal) => {
        await using dir = await openInside(jail, path, 'entry')
        const name = dir.entry(partName(transfer))
        try {
          if (!(await lookAt(dir, partName(transfer)))) return await keptBefore(dir, input, signal)
          const opened = await openPart(dir, path, transfer)
          await using part = opened.file
          const state = await stateOf(key, part, Number(opened.found.size), signal)
          if (state.front !== bytes) throw failure('file.gap', { file: path, at: state.front, offset: bytes })
          if (state.hash.copy().digest('hex') !== sha256) {
            known.delete(key)
            await rm(name, { force: true })
            throw failure('file.damaged', { file: path })
          }
          const version = await place(dir, part, name, input)
          known.delete(key)
          return { bytes, sha256, version }
        } catch (error) {
          throw told(path, error)
        }
      })
    },

    async drop(jail, path, transfer) {
      const key = keyOf(path, transfer)
      return await alone(key, path, new AbortController().signal, async () => {
        await using dir = await openInside(jail, path, 'entry')
        known.delete(key)
        try {
          const found = await lookAt(dir, partName(transfer))
          await rm(dir.entry(partName(transfer)), { force: true })
          return { dropped: found !== undefined }
        } catch (error) {
          throw told(path, error)
        }
      })
    },
  }
}

const keyOf = (path: string, transfer: string) => `${path}\0${transfer}`

async function lookAt(dir: Inside, name: string): Promise<BigIntStats | undefined> {
  try {
    return await lstat(dir.entry(name), { bigint: true })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

/** The file of this account alone, and reached by no other name: somebody else's beside the target is not gone on with. */
async function openPart(dir: Inside, path: string, transfer: string) {
  const flags = constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW | constants.O_NONBLOCK
  const file = await open(dir.entry(partName(transfer)), flags, 0o600)
  try {
    const found = await file.stat({ bigint: true })
    const isOwn = found.isFile() && found.nlink === 1n && (process.getuid === undefined || Number(found.uid) === process.getuid())
    if (!isOwn)
      throw failure('file.unwritable', { file: path, problem: `${partName(transfer)} beside it is not what a copy has left` })
    await dir.confirm()
    return { file, found }
  } catch (error) {
    await file.close()
    throw error
  }
}

/** Whole and on disk first, then the name. Answers the version that is there now. */
async function place(dir: Inside, part: FileHandle, name: string, input: ParsedOf<typeof keepFile>): Promise<string> {
  const { path, mode, modifiedAt, replace, expect } = input
  await part.truncate(input.bytes)
  await part.chmod(mode)
  const seconds = secondsOf(modifiedAt)
  await part.utimes(seconds, seconds)
  await part.sync()
  const there = await lookAt(dir, dir.name)
  if (there && !there.isFile()) throw failure('file.unwritable', { file: path, problem: `a ${kindOf(there)} is there` })
  if (replace === 'nothing') {
    await link(name, dir.entry(dir.name))
    await rm(name)
  } else {
    const version = there ? describe(there).version : null
    if (expect !== undefined && version !== expect) throw failure('file.changed', { file: path })
    await dir.confirm()
    await rename(name, dir.entry(dir.name))
  }
  await dir.sync()
  const placed = await part.stat({ bigint: true })
  const now = await lookAt(dir, dir.name)
  // In a directory that others may write to, the name may have been another file's when it was given.
  if (now?.ino !== placed.ino || now.dev !== placed.dev) throw failure('file.changed', { file: path })
  return describe(placed).version
}

/** Nothing is staged: it was kept already, and the answer was lost on its way; else there is nothing to keep. */
async function keptBefore(
  dir: Inside,
  { path, bytes, sha256, modifiedAt }: ParsedOf<typeof keepFile>,
  signal: AbortSignal,
): Promise<OutputOf<typeof keepFile>> {
  const nothingCame = () => failure('file.gap', { file: path, at: 0, offset: bytes })
  const there = await lookAt(dir, dir.name)
  if (!there?.isFile() || Number(there.size) !== bytes || describe(there).modifiedAt !== modifiedAt) throw nothingCame()
  const opened = await openToRead(dir, path)
  await using file = opened.file
  const hash = createHash('sha256')
  for await (const piece of readOn(file, { offset: 0, end: bytes }, signal)) hash.update(piece)
  if (hash.digest('hex') !== sha256) throw nothingCame()
  return { bytes, sha256, version: describe(opened.found).version }
}

function told(path: string, error: unknown): unknown {
  if (error instanceof MusterError || !isSystemError(error)) return error
  if (error.code === 'EEXIST') return failure('file.exists', { file: path, others: 0 }, { cause: error })
  return unwritable(path, error)
}
