// Everything below a directory in one order: each directory before what is in it, names by their code units. Links are told and never
// followed, so that no loop of them is walked twice.

import { isUtf8 } from 'node:buffer'
import type { BigIntStats } from 'node:fs'
import { lstat, readdir } from 'node:fs/promises'
import { matchesGlob } from 'node:path'
import { failure, hasCode } from '../../contract/errors.ts'
import type { WalkedFile } from '../../contract/file.ts'
import { describe } from './entry.ts'
import { type Inside, type Jail, openInside, unreadable } from './jail.ts'
import { isLeftover } from './leftovers.ts'
import { below, problemOf } from './reading.ts'

/** Whatever is larger is told as far as this, with an error: nobody waits for more in one answer. */
const mostEntries = 10_000_000
const lookedAtOnce = 64

export interface Walking {
  readonly path: string
  readonly glob: string | undefined
  readonly after: number
  /** What forbids one of them, for people. */
  readonly forbidden: (path: string) => string | undefined
}

type Found = Omit<WalkedFile, 'n'>

/** Throws `file.outside`, `file.unreadable` of the path itself; what is below and cannot be read is told with its problem. */
export async function* walk(jail: Jail, of: Walking, signal: AbortSignal): AsyncGenerator<WalkedFile> {
  let n = 0
  for await (const found of entries(jail, of, signal)) {
    if (++n > mostEntries)
      throw failure('file.unreadable', { file: of.path, problem: `more than ${mostEntries} files are below it` })
    if (n > of.after) yield { n, ...found }
  }
}

async function* entries(jail: Jail, { path, glob, forbidden }: Walking, signal: AbortSignal): AsyncGenerator<Found> {
  const depth = glob === undefined || glob.includes('**') ? Infinity : glob.split('/').length
  const isMeant = (name: string) => glob === undefined || matchesGlob(name, glob)
  /** Of a directory that matches a glob as it stands, what is in it is not asked for. */
  const isEnough = (name: string) => glob !== undefined && !glob.includes('**') && isMeant(name)

  async function* walkIn(dir: string): AsyncGenerator<Found> {
    for await (const one of listed(jail, below(path, dir), dir)) {
      signal.throwIfAborted()
      const why = forbidden(below(path, one.name))
      const found = why === undefined ? one : { ...one, problem: why }
      if (isMeant(found.name)) yield found
      const deeper = found.kind === 'directory' && found.problem === undefined && found.name.split('/').length < depth
      if (!deeper || isEnough(found.name)) continue
      try {
        yield* walkIn(found.name)
      } catch (error) {
        // It has gone, its path leads elsewhere by now, or it is none that any root opens.
        if (!hasCode(error, 'file.unreadable') && !hasCode(error, 'file.outside')) throw error
        yield { ...found, problem: problemOf(error) }
      }
    }
  }
  yield* walkIn('')
}

/** One directory, in order. */
async function* listed(jail: Jail, path: string, dir: string): AsyncGenerator<Found> {
  await using inside = await openInside(jail, path, 'directory')
  const names = await namesIn(inside, path)
  for (let at = 0; at < names.length; at += lookedAtOnce) {
    const found = await Promise.all(names.slice(at, at + lookedAtOnce).map((name) => lookAt(inside, name, dir)))
    yield* found.flat()
  }
}

async function namesIn(inside: Inside, path: string): Promise<(string | Buffer)[]> {
  try {
    const names = await readdir(inside.entry('.'), { encoding: 'buffer' })
    await inside.confirm()
    const read = names.map((name) => (isUtf8(name) ? name.toString('utf8') : name)).filter((name) => !isLeftover(String(name)))
    return read.sort((a, b) => (String(a) < String(b) ? -1 : 1))
  } catch (error) {
    throw unreadable(path, error)
  }
}

async function lookAt(inside: Inside, name: string | Buffer, dir: string): Promise<Found[]> {
  const shown = dir === '' ? String(name) : `${dir}/${name}`
  // Nobody could ask for it by that name.
  if (typeof name !== 'string') return [{ name: shown, ...unknown, problem: 'its name is no Unicode text' }]
  let found: BigIntStats
  try {
    found = await lstat(inside.entry(name), { bigint: true })
  } catch (error) {
    // One that has gone meanwhile is none.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    return [{ name: shown, ...unknown, problem: problemOf(error) }]
  }
  return [{ name: shown, ...describe(found) }]
}

const unknown = { kind: 'other', bytes: 0, mode: 0, modifiedAt: '1970-01-01T00:00:00.000000Z', version: '' } as const
