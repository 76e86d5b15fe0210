// A glob as a walk needs it: where to begin, how deep to go, what it matches. What it means is Node's (`path.matchesGlob`); that no glob
// takes long is its schema's business (ArtifactGlob).

import { matchesGlob } from 'node:path'

export interface Glob {
  /** The directories in which everything lies that it can match. */
  readonly fixed: readonly string[]
  /** So many parts has the longest path that it can match. */
  readonly deepest: number
  /** It may name what begins with a dot; wildcards alone never do. */
  readonly wantsDots: boolean
  matches(path: readonly string[]): boolean
}

export function hasWildcard(glob: string): boolean {
  return /[*?[{]/.test(glob)
}

export function readGlob(text: string): Glob {
  const parts = text.split('/').filter((part) => part !== '' && part !== '.')
  const firstWild = parts.findIndex((part) => hasWildcard(part))
  const pattern = parts.join('/')
  return {
    fixed: parts.slice(0, firstWild === -1 ? -1 : firstWild),
    // What its braces stand for has no more slashes than itself.
    deepest: pattern.includes('**') ? Infinity : parts.length,
    wantsDots: /(^|[/{,[])\./.test(pattern),
    matches: (path) => matchesGlob(path.join('/'), pattern),
  }
}
