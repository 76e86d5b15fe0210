// What a copy came to, in words.

import type { CopyOutcome } from '../../transfer/copy.ts'
import { showBytes } from '../byte-size.ts'
import { printable, shorten } from '../printable.ts'
import type { Terminal } from '../terminal.ts'

/** Of a thousand that were refused alike, these are read. */
const mostShown = 20
const longestSentence = 800

export function said({ copied, bytes, left, resumedBytes }: CopyOutcome, seconds: number): string {
  const files = `${copied.length} file${copied.length === 1 ? '' : 's'}`
  const speed = seconds > 0 && bytes > 0 ? `, ${showBytes((bytes - resumedBytes) / seconds)}/s` : ''
  const before = resumedBytes > 0 ? `, ${showBytes(resumedBytes)} of it before` : ''
  const there = left > 0 ? `; ${left} left as they were` : ''
  return `Copied ${files}, ${showBytes(bytes)} in ${seconds.toFixed(1)} s${speed}${before}${there}.`
}

export function tellProblems(terminal: Pick<Terminal, 'say' | 'errScreen'>, problems: CopyOutcome['problems']): void {
  for (const { error } of problems.slice(0, mostShown)) terminal.say(shorten(printable(error.message), longestSentence))
  const more = problems.length - mostShown
  if (more > 0) terminal.say(`And ${more} more; --json has all of them.`)
  const [first] = problems
  if (first) terminal.say(`hint: ${first.error.hint}`)
}
