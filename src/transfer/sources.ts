// Which files are meant: each source as it stands, or, on a host, what a glob matches there; and where each of them goes.

import { failure, hasCode } from '../contract/errors.ts'
import type { FoundFile } from '../contract/file.ts'
import { below } from './disk/reading.ts'
import { lookAt, type Source, walked } from './plan.ts'
import { type Place, placeText } from './side.ts'
import { isUnfinished } from './unfinished.ts'

export interface NamedSource extends Place {
  /** What it is called in a directory, where that is not the last part of its path. */
  readonly name?: string
}

export interface Named {
  readonly sources: readonly NamedSource[]
  readonly target: Place
  /** There must be a directory at the target, since the caller said so. */
  readonly intoDirectory: boolean
  /** A directory becomes the target also where one is there: the same words once more are the same copy, and not one into it. */
  readonly becomesTarget?: boolean
}

/** Throws `file.unreadable` for a source that is not there, `file.unwritable` for a target that cannot take them. */
export async function findSources(
  { sources, target, intoDirectory, becomesTarget = false }: Named,
  signal: AbortSignal,
): Promise<Source[]> {
  const found = (await Promise.all(sources.map((place) => findOne(place, signal)))).flat()
  const { path, found: there } = await lookAt(target, 'write', signal)
  const at = { ...target, path }
  if (there?.kind === 'directory') {
    const [only, ...others] = found
    if (only?.found.kind === 'directory' && others.length === 0 && !intoDirectory && (await isUnfinished(only.place, at, signal)))
      return [{ ...only, target: at, there, isGoneOnWith: true }]
    if (becomesTarget && only?.found.kind === 'directory' && others.length === 0 && !intoDirectory)
      return [{ ...only, target: at, there }]
    return await Promise.all(found.map((one) => goesTo(one, { ...target, path: below(path, one.name) }, signal)))
  }
  if (found.length > 1 || intoDirectory) {
    const problem = there ? 'it is no directory' : 'there is no such directory'
    throw failure('file.unwritable', { file: placeText(at), problem })
  }
  return found.map((one) => ({ ...one, target: at, there }))
}

interface Found extends Pick<Source, 'place' | 'found'> {
  readonly name: string
}

async function goesTo(one: Found, target: Place, signal: AbortSignal): Promise<Source> {
  const { found: there } = await lookAt(target, 'write', signal)
  return { ...one, target, there }
}

async function findOne(place: NamedSource, signal: AbortSignal): Promise<Found[]> {
  const { side, path } = place
  const isGlob = side.name !== '' && hasWildcard(path)
  const looked = await lookAt(place, 'read', signal).catch((error) => {
    // The directory of a glob is looked at by the walk.
    if (isGlob && hasCode(error, 'file.unreadable')) return { path, found: null }
    throw error
  })
  if (looked.found) {
    return [{ place: { side, path: looked.path }, found: looked.found, name: place.name ?? nameOf(looked.path) }]
  }
  if (!isGlob) throw failure('file.unreadable', { file: placeText(place), problem: 'there is no such file or directory' })
  const { base, glob } = partsOf(path)
  const { path: from } = await lookAt({ side, path: base }, 'read', signal)
  const matched: Found[] = []
  for await (const { name, n: _, problem: __, ...entry } of walked({ side, path: base }, 'read', signal, glob)) {
    const found: FoundFile = { path: below(from, name), ...entry }
    matched.push({ place: { side, path: found.path }, found, name: nameOf(found.path) })
  }
  if (matched.length === 0) throw failure('file.unreadable', { file: placeText(place), problem: 'nothing matches it' })
  return matched
}

export function hasWildcard(path: string): boolean {
  return /[*?[{]/.test(path)
}

/** A glob begins at the first part that has a wildcard. */
export function partsOf(path: string): { base: string; glob: string } {
  const parts = path.split('/')
  const first = parts.findIndex(hasWildcard)
  const base = parts.slice(0, first).join('/')
  return { base: base === '' && path.startsWith('/') ? '/' : base, glob: parts.slice(first).join('/') }
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1)
}
