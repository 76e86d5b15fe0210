// Characters that are not seen for what they are, for whoever shows people text from elsewhere: names, reasons, what would run.

/** Those that steer a screen, end a line, or reorder what stands beside them. */
const steering = /[\p{Cc}\p{Zl}\p{Zp}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu
/** These too are drawn as nothing. Scripts and emoji need some of them, so that not every text can do without. */
const unseen = /[\p{Cc}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu

/** The same text, which cannot steer or reorder what it is shown in: `\x1b`. */
export function printable(text: string): string {
  return text.replace(steering, writtenOut)
}

/** The same text with everything written out that nobody would see: for what a person is to judge to the letter. */
export function allSeen(text: string): string {
  return text.replace(unseen, writtenOut)
}

/** A value as JSON for people: what is in it is the same, and steers no screen either. */
export function printableJson(value: unknown, indent?: number): string {
  const json = JSON.stringify(value ?? null, null, indent)
  return json.replace(steering, (found) => (found === '\n' ? found : `\\u${hex(found, 4)}`))
}

function writtenOut(found: string): string {
  const code = found.codePointAt(0) as number
  if (code > 0xffff) return `\\u{${hex(found, 0)}}`
  return code > 0xff ? `\\u${hex(found, 4)}` : `\\x${hex(found, 2)}`
}

function hex(found: string, digits: number): string {
  return (found.codePointAt(0) as number).toString(16).padStart(digits, '0')
}
