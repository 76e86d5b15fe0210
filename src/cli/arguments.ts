// Arguments that name something, checked before anybody is asked: a wrong one is told in the caller's words and changes nothing.

import type { z } from 'zod'
import { failure } from '../contract/errors.ts'
import { describeIssue } from '../contract/implementation.ts'
import { HostName, HostRef, RunId } from '../contract/names.ts'
import { printable, shorten } from './printable.ts'

const control = /[\u0000-\u001f\u007f-\u009f]/

export const runId = (text: string): string => check(RunId, text, 'The run id')
export const hostName = (text: string): string =>
  check(HostName, text, 'The host name', 'Choose another name, such as `build-box`.')

export function hostRef(text: string): string {
  if (control.test(text)) throw invalid('The host', text, "a host's name has no control characters")
  return check(HostRef, text, 'The host')
}

/** `--input a=1 --input b=2` as an object. A name that comes twice is refused: one of the two would be lost. */
export function uniquePairs<V>(option: string, pairs: readonly (readonly [string, V])[] = []): Record<string, V> {
  const names = pairs.map(([name]) => name)
  const twice = names.find((name, i) => names.indexOf(name) !== i)
  if (twice !== undefined)
    throw failure('cli.usage', {
      problem: `The name "${shorten(printable(twice), 80)}" is given twice with ${option}.`,
      hint: 'Give each name once.',
    })
  return Object.fromEntries(pairs)
}

const shownByLists = 'Names and ids are shown by `muster host list` and `muster run list`.'

export function check<S extends z.ZodType>(schema: S, value: string, what: string, hint = shownByLists): z.output<S> {
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  throw invalid(what, value, parsed.error.issues.map(describeIssue).join('; '), hint)
}

function invalid(what: string, value: string, problem: string, hint = shownByLists) {
  return failure('cli.usage', {
    problem: `${what} "${shorten(printable(value), 80)}" is not valid: ${problem}.`,
    hint,
  })
}
