// What is wrong with a workflow file, and where. Checks add problems as they find them; the first in the document is reported.

import { failure, type MusterError } from '../contract/errors.ts'

/** A problem and how to mend it, not yet placed in a file. */
export interface Complaint {
  readonly problem: string
  readonly fix: string
}

export interface Problem extends Complaint {
  /** In characters from the beginning of the source. */
  readonly offset: number
}

/** The problem that a reader of the file meets first. */
export function firstProblem(problems: readonly Problem[]): Problem | undefined {
  return problems.reduce<Problem | undefined>((first, next) => (first && first.offset <= next.offset ? first : next), undefined)
}

/** `workflow.invalid` at the problem's line and column, both counted from 1. */
export function invalid(file: string, source: string, { offset, problem, fix }: Problem): MusterError {
  const before = source.slice(0, offset)
  const line = before.split('\n').length
  return failure('workflow.invalid', { file, line, column: offset - before.lastIndexOf('\n'), problem: shorten(problem), fix })
}

/** The known name that `name` is most likely meant to be. */
export function nearest(name: string, known: Iterable<string>): string | undefined {
  const wanted = plain(name)
  let best: { name: string; distance: number } | undefined
  for (const candidate of known) {
    const distance = editDistance(wanted, plain(candidate))
    if (distance <= Math.ceil(candidate.length / 3) && distance < (best?.distance ?? Infinity)) {
      best = { name: candidate, distance }
    }
  }
  return best?.name
}

/** Names as they are listed in a fix. */
export function listNames(names: Iterable<string>): string {
  const all = [...names]
  const shown = all.slice(0, 20).join(', ')
  return all.length > 20 ? `${shown} and ${all.length - 20} more` : shown
}

/** A piece of the file as it is quoted in a sentence. */
export function quote(text: string): string {
  return `"${shorten(text.replaceAll(/[\p{Cc}\u2028\u2029]+/gu, ' '), 60)}"`
}

function shorten(text: string, limit = 400): string {
  return text.length > limit ? `${text.slice(0, limit - 1)}…` : text
}

// forEach, for-each and for_each are the same word to whoever types it.
function plain(name: string): string {
  return name
    .slice(0, 64)
    .toLowerCase()
    .replaceAll(/[^a-z0-9]/g, '')
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1))
    }
    row = next
  }
  return row[b.length] ?? 0
}
