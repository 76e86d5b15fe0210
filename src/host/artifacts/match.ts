// Which files a run's globs name, below its working directory. Links are never followed, and what a wildcard matches does not begin
// with a dot unless the glob says so, as in a shell.

import { readdir, realpath } from 'node:fs/promises'
import { join, matchesGlob } from 'node:path'
import type { Refusal } from '../../contract/artifact.ts'
import { describeFileProblem } from '../../contract/file-problem.ts'

/** A tree with more entries than this is not gone through to its end. */
const mostEntries = 200_000

const wildcard = /[*?[{(!+@]/

export interface Matching {
  /** The working directory, its path resolved. */
  readonly root: string
  readonly globs: readonly string[]
  readonly signal: AbortSignal
  readonly mostEntries?: number
}

/** The names of what may be kept, each once and in order; a glob that names nothing is refused. */
export async function matchGlobs(of: Matching): Promise<{ names: string[]; refused: Refusal[] }> {
  const names = new Set<string>()
  const refused: Refusal[] = []
  for (const glob of of.globs) {
    const pattern = glob
      .split('/')
      .filter((part) => part !== '' && part !== '.')
      .join('/')
    if (!wildcard.test(pattern)) {
      if (pattern === '') refused.push({ name: glob, reason: 'it is the working directory; "**" names the files in it' })
      // Whether there is such a file is seen when it is opened.
      else names.add(pattern)
      continue
    }
    const before = refused.length
    const found = await walkFor(pattern, of, refused)
    for (const name of found) names.add(name)
    if (found.length === 0 && refused.length === before) refused.push({ name: glob, reason: 'no file matches it' })
  }
  return { names: [...names].sort(), refused }
}

async function walkFor(pattern: string, { root, signal, ...limits }: Matching, refused: Refusal[]): Promise<string[]> {
  const parts = pattern.split('/')
  const fixed = parts.slice(
    0,
    parts.findIndex((part) => wildcard.test(part)),
  )
  // No expansion of it has more slashes than itself.
  const deepest = pattern.includes('**') ? Infinity : parts.length
  const wantsDots = /(^|[/{,(|[])\./.test(pattern)
  let left = limits.mostEntries ?? mostEntries
  const found: string[] = []
  const waiting = [fixed]
  for (let dir = waiting.pop(); dir; dir = waiting.pop()) {
    signal.throwIfAborted()
    const name = dir.join('/')
    const path = join(root, name)
    try {
      if ((await realpath(path)) !== path) {
        refused.push({ name, reason: 'its path leads through a link, and links are not followed' })
        continue
      }
      for (const entry of await readdir(path, { withFileTypes: true })) {
        if (left-- === 0) {
          refused.push({
            name: pattern,
            reason: `there are more than ${limits.mostEntries ?? mostEntries} files to look through`,
          })
          return found
        }
        const below = [...dir, entry.name]
        if (!entry.isDirectory()) {
          if (matchesGlob(below.join('/'), pattern)) found.push(below.join('/'))
        } else if (below.length < deepest && (wantsDots || !entry.name.startsWith('.'))) waiting.push(below)
      }
    } catch (error) {
      // Nothing there is what "no file matches" says.
      if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) continue
      refused.push({ name: name === '' ? pattern : name, reason: `it cannot be read: ${describeFileProblem(error)}` })
    }
  }
  return found
}
