// Text from elsewhere (names, titles, reasons) made safe to print: a host must not be able to steer the terminal of whoever lists it.

export { printable, printableJson } from '../contract/printable.ts'

/** At most `length` characters, the end cut off with an ellipsis. */
export function shorten(text: string, length: number): string {
  const characters = [...text]
  return characters.length <= length ? text : `${characters.slice(0, Math.max(0, length - 1)).join('')}…`
}
