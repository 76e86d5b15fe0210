// Globs as a run's spec has them: `*`, `?`, `[a-z]`, `**`, `{a,b}`. A glob comes from a hub and names come from a command; neither may
// hold the host up, so matching takes no longer than both lengths multiplied, which the regular expressions of Node's own globs do not promise.

export interface Glob {
  /** The directories in which everything lies that it can match. */
  readonly fixed: readonly string[]
  /** So many parts has the longest path that it can match. */
  readonly deepest: number
  /** It may name what begins with a dot; wildcards alone never do. */
  readonly wantsDots: boolean
  matches(path: readonly string[]): boolean
}

/** Braces stand for so many globs at most. */
const mostExpansions = 256

export function hasWildcard(glob: string): boolean {
  return /[*?[{]/.test(glob)
}

/** One for each way in which its braces can be read. Undefined when they are too many. */
export function parseGlob(glob: string): Glob[] | undefined {
  const globs: Glob[] = []
  for (const expanded of expansions(glob)) {
    if (globs.length === mostExpansions) return undefined
    globs.push(globOf(expanded.split('/').filter((part) => part !== '' && part !== '.')))
  }
  return globs
}

function globOf(parts: readonly string[]): Glob {
  const firstWild = parts.findIndex((part) => hasWildcard(part))
  // What is below a directory is not the directory.
  const pattern = (parts.at(-1) === '**' ? [...parts, '*'] : parts).map((part) =>
    part === '**' ? anyDirectories : tokensOf(part),
  )
  return {
    fixed: parts.slice(0, firstWild === -1 ? -1 : firstWild),
    deepest: parts.includes('**') ? Infinity : parts.length,
    wantsDots: parts.some((part) => part.startsWith('.')),
    matches: (path) =>
      matchWild(pattern, path, {
        isStar: (part) => part === anyDirectories,
        starTakes: (name) => !name.startsWith('.'),
        fits: matchPart,
      }),
  }
}

type Token =
  | string
  | { readonly any: 'one' | 'some' }
  | { readonly not: boolean; readonly ranges: readonly (readonly [string, string])[] }

const anyDirectories: readonly Token[] = []

function matchPart(tokens: readonly Token[], name: string): boolean {
  if (name.startsWith('.') && tokens[0] !== '.') return false
  return matchWild(tokens, [...name], { isStar: (token) => isAny(token, 'some'), starTakes: () => true, fits: matchCharacter })
}

function matchCharacter(token: Token, character: string): boolean {
  if (typeof token === 'string') return token === character
  if ('any' in token) return true
  return token.not !== token.ranges.some(([from, to]) => from <= character && character <= to)
}

function isAny(token: Token, which: 'one' | 'some'): boolean {
  return typeof token === 'object' && 'any' in token && token.any === which
}

/** A pattern with stars against a text: the last star alone is gone back to, since what an earlier one could do better it can do too. */
function matchWild<P, T>(
  pattern: readonly P[],
  text: readonly T[],
  {
    isStar,
    starTakes,
    fits,
  }: { isStar: (part: P) => boolean; starTakes: (item: T) => boolean; fits: (part: P, item: T) => boolean },
): boolean {
  let p = 0
  let star: { readonly after: number; taken: number } | undefined
  for (let t = 0; t < text.length; ) {
    const part = pattern[p]
    if (part !== undefined && isStar(part)) star = { after: ++p, taken: t }
    else if (part !== undefined && fits(part, text[t] as T)) {
      p++
      t++
    } else if (star && starTakes(text[star.taken] as T)) {
      p = star.after
      t = ++star.taken
    } else return false
  }
  return pattern.slice(p).every(isStar)
}

function tokensOf(part: string): Token[] {
  const tokens: Token[] = []
  for (let rest = part; rest !== ''; ) {
    const set = /^\[([!^]?)(\]?[^\]]*)\]/u.exec(rest)
    const [character = ''] = rest
    if (set?.[2]) tokens.push({ not: set[1] !== '', ranges: rangesOf(set[2]) })
    else tokens.push(character === '*' ? { any: 'some' } : character === '?' ? { any: 'one' } : character)
    rest = rest.slice(set?.[2] ? set[0].length : character.length)
  }
  return tokens
}

function rangesOf(set: string): [string, string][] {
  return [...set.matchAll(/(.)-(.)|(.)/gsu)].map(([, from, to, one]) => [from ?? one ?? '', to ?? one ?? ''])
}

/** In the order of a shell. Braces without a comma, without an end, or in brackets are themselves. */
function* expansions(glob: string): Generator<string> {
  const braces = firstBraces(glob)
  if (!braces) return yield glob
  const { before, choices, after } = braces
  for (const choice of choices) yield* expansions(before + choice + after)
}

function firstBraces(glob: string): { before: string; choices: string[]; after: string } | undefined {
  const open: { start: number; commas: number[] }[] = []
  let first: { start: number; commas: number[]; end: number } | undefined
  for (let at = 0; at < glob.length; at += bracketsAt(glob, at) ?? 1) {
    if (glob[at] === '{') open.push({ start: at, commas: [] })
    if (glob[at] === ',') open.at(-1)?.commas.push(at)
    const closed = glob[at] === '}' ? open.pop() : undefined
    if (closed && closed.commas.length > 0 && closed.start < (first?.start ?? Infinity)) first = { ...closed, end: at }
  }
  if (!first) return undefined
  const { start, commas, end } = first
  const bounds = [start, ...commas, end]
  const choices = bounds.slice(1).map((to, i) => glob.slice((bounds[i] ?? 0) + 1, to))
  return { before: glob.slice(0, start), choices, after: glob.slice(end + 1) }
}

const brackets = /\[[!^]?\]?[^\]/]*\]/y

/** How long the brackets are that begin here, if any do. */
function bracketsAt(glob: string, at: number): number | undefined {
  if (glob[at] !== '[') return undefined
  brackets.lastIndex = at
  return brackets.exec(glob)?.[0].length
}
