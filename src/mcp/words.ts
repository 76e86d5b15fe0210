// Words and numbers as a model reads them: short, on one line, and nothing of it from a host can look like another line.

/** `3 h`, `12 min`, `45 s`. */
export function ago(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000))
  if (seconds < 90) return `${seconds} s`
  const minutes = Math.round(seconds / 60)
  if (minutes < 90) return `${minutes} min`
  const hours = Math.round(minutes / 60)
  return hours < 48 ? `${hours} h` : `${Math.round(hours / 24)} d`
}

export function oneLine(text: string, most: number): string {
  const line = text.replace(/[\s\p{C}]+/gu, ' ').trim()
  return line.length > most ? `${line.slice(0, wholeUntil(line, most - 1))}…` : line
}

/** The same place, or one before it where it lies within a character. */
export function wholeUntil(text: string, end: number): number {
  return end > 0 && end < text.length && isHighHalf(text.charCodeAt(end - 1)) ? end - 1 : end
}

function isHighHalf(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdbff
}

export function plural(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`
}
