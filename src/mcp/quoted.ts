// What a machine wrote, set apart from our own words: it stands up to a line with a code that it could not foresee, so that no output ends its
// own quotation and goes on in our name.

import { randomBytes } from 'node:crypto'

/** `what`: our words about it, which end in the quotation. */
export function quoted(what: string, output: string): string {
  const end = `~${randomBytes(4).toString('base64url')}`
  return `${what}, up to ${end}:\n${output.replace(/\n$/, '')}\n${end}`
}
