// How much of a long text is shown, said in so many words: its beginning and end first, then from any place on.

import { wholeUntil } from './words.ts'

export interface ShownPart {
  readonly text: string
  /** What was shown, and how to see the rest; empty where all of it was. */
  readonly rest: string
}

export interface Shortening {
  /** From where; without it, beginning and end. */
  readonly offset?: number | undefined
  /** How the rest is asked for: the arguments beside `offset`. */
  readonly ask: Readonly<Record<string, unknown>>
}

/** Of what is longer than both, so much of its beginning and of its end. */
export const firstLook = { head: 5_000, tail: 3_000 }
export const pageLength = 16_000

export function shownPart(text: string, { offset, ask }: Shortening): ShownPart {
  const { length } = text
  if (offset !== undefined) {
    const from = Math.min(Math.trunc(offset), length)
    const end = wholeUntil(text, Math.min(length, from + pageLength))
    return { text: text.slice(from, end), rest: restOf(`characters ${from}-${end} of ${length}`, end, length, ask) }
  }
  if (length <= firstLook.head + firstLook.tail) return { text, rest: '' }
  const head = wholeUntil(text, firstLook.head)
  const tail = length - wholeUntil(text, length - firstLook.tail)
  return {
    text: `${text.slice(0, head)}\n[… ${length - head - tail} characters not shown …]\n${text.slice(-tail)}`,
    rest: restOf(`the first ${head} and the last ${tail} of ${length} characters`, head, length, ask),
  }
}

export function restOf(shown: string, next: number, all: number, ask: Shortening['ask']): string {
  return next < all ? `shown: ${shown}; on: node_invoke ${JSON.stringify({ ...ask, offset: next })}` : `shown: ${shown}`
}
