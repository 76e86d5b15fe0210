// Whom a decision is about, as it is typed: six digits, an id of the list, or a host.

import { failure } from '../../contract/errors.ts'
import { PairingCode } from '../../contract/pairing.ts'
import { hostRef } from '../arguments.ts'

/** `482 913` is how the machine shows it. */
export function whom(text: string): { code: string } | { pairing: string } | { host: string } {
  const digits = text.replace(/[ -]/g, '')
  if (PairingCode.safeParse(digits).success) return { code: digits }
  if (/^[0-9]+$/.test(digits))
    throw failure('cli.usage', {
      problem: `A code has six digits, and ${digits.length} were given.`,
      hint: 'Type those that the screen of the machine shows; `muster pairing list` shows who waits.',
    })
  return text.startsWith('pair_') ? { pairing: text } : { host: hostRef(text) }
}
