// What may become one argument of a program, one of its variables or its standard input: exactly the text that was given, or nothing.

import { failure } from '../../contract/errors.ts'

/** A number or a truth value as it is written; text to the byte. Throws `input.invalid` for what the system would cut or change. */
export function wholeText(name: string, value: unknown): string {
  if (typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'boolean')
    throw wrong(name, 'it is neither text nor a number nor true or false')
  if (Number.isInteger(value) && !Number.isSafeInteger(value))
    throw wrong(name, 'no number as large is held to the digit: give it as text')
  const text = String(value)
  if (text.includes('\0')) throw wrong(name, 'it holds a NUL byte')
  if (!text.isWellFormed()) throw wrong(name, 'it is no Unicode text: it holds half a character')
  return text
}

/** The same where a program would take a leading dash for an option of its own. */
export function wholeOperand(name: string, value: unknown): string {
  const text = wholeText(name, value)
  if (text.startsWith('-')) throw wrong(name, 'it begins with "-", and the program would take it for an option')
  return text
}

function wrong(name: string, problem: string) {
  return failure('input.invalid', { what: `the parameter ${name}`, problem })
}
