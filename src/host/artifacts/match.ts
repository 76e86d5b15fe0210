// Which files a run's globs name, below its working directory. Links are never followed.

import { readdir, realpath } from 'node:fs/promises'
import { join } from 'node:path'
import type { Refusal } from '../../contract/artifact.ts'
import { isOutOfDescriptors } from '../../contract/errors.ts'
import { describeFileProblem } from '../../contract/file-problem.ts'
import { type Glob, hasWildcard, readGlob } from './glob.ts'

/** What is looked through for all globs of a run, at most. */
const mostEntries = 200_000

export interface Matching {
  /** The working directory, its path resolved. */
  readonly root: string
  readonly globs: readonly string[]
  readonly signal: AbortSignal
  readonly mostEntries?: number
}

interface Looking {
  readonly root: string
  readonly signal: AbortSignal
  readonly refused: Refusal[]
  /** Entries that may still be looked at. */
  left: number
}

/** The names of what may be kept, each once and in order; a glob that names nothing is refused. */
export async function matchGlobs(of: Matching): Promise<{ names: string[]; refused: Refusal[] }> {
  const most = of.mostEntries ?? mostEntries
  const looking: Looking = { root: of.root, signal: of.signal, refused: [], left: most }
  const { refused } = looking
  const names = new Set<string>()
  for (const glob of of.globs) {
    const before = refused.length
    const found = hasWildcard(glob) ? await walkFor(readGlob(glob), looking) : asItStands(glob, refused)
    for (const name of found) names.add(name)
    if (looking.left < 0 && hasWildcard(glob))
      refused.push({ name: glob, reason: `there are more than ${most} files to look through` })
    else if (found.length === 0 && refused.length === before) refused.push({ name: glob, reason: 'no file matches it' })
  }
  return { names: [...names].sort(), refused }
}

/** Whether there is such a file is seen when it is opened. */
function asItStands(glob: string, refused: Refusal[]): string[] {
  const name = glob
    .split('/')
    .filter((part) => part !== '' && part !== '.')
    .join('/')
  if (name !== '') return [name]
  refused.push({ name: glob, reason: 'it is the working directory; "**" names the files in it' })
  return []
}

async function walkFor(glob: Glob, looking: Looking): Promise<string[]> {
  const found: string[] = []
  const waiting = [glob.fixed]
  for (let dir = waiting.pop(); dir && looking.left >= 0; dir = waiting.pop()) {
    looking.signal.throwIfAborted()
    for (const entry of await entriesIn(dir, looking)) {
      if (looking.left-- === 0) return found
      const below = [...dir, entry.name]
      if (!entry.isDirectory()) {
        if (glob.matches(below)) found.push(below.join('/'))
      } else if (below.length < glob.deepest && (glob.wantsDots || !entry.name.startsWith('.'))) waiting.push(below)
    }
  }
  return found
}

/** None where there is no such directory: then nothing in it matches. */
async function entriesIn(dir: readonly string[], { root, refused }: Looking) {
  const path = join(root, ...dir)
  const name = dir.join('/') || '.'
  try {
    if ((await realpath(path)) === path) return await readdir(path, { withFileTypes: true })
    refused.push({ name, reason: 'its path leads through a link, and links are not followed' })
  } catch (error) {
    if (isOutOfDescriptors(error)) throw error
    if (!['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? ''))
      refused.push({ name, reason: `it cannot be read: ${describeFileProblem(error)}` })
  }
  return []
}
