// Text from elsewhere (names, titles, reasons) made safe to print: a host must not be able to steer the terminal of whoever lists it.

// Control characters (C0, DEL, C1) and those that reorder text on the screen.
const unsafe = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g

/** The same text with every control character written out: `\x1b`. */
export function printable(text: string): string {
  return text.replace(unsafe, (found) => {
    const code = found.charCodeAt(0)
    return code > 0xff ? `\\u${code.toString(16).padStart(4, '0')}` : `\\x${code.toString(16).padStart(2, '0')}`
  })
}

/** At most `length` characters, the end cut off with an ellipsis. */
export function shorten(text: string, length: number): string {
  const characters = [...text]
  return characters.length <= length ? text : `${characters.slice(0, Math.max(0, length - 1)).join('')}…`
}
