// Colour, where a screen is there to show it. Whether it is, the terminal knows (NO_COLOR, TERM, TTY).

const codes = { red: 31, green: 32, yellow: 33, blue: 34, magenta: 35, cyan: 36, dim: 2, bold: 1 } as const
type Color = keyof typeof codes

export function paint(color: Color, text: string): string {
  return `\x1b[${codes[color]}m${text}\x1b[0m`
}

const perHost: readonly Color[] = ['cyan', 'magenta', 'yellow', 'blue', 'green']

/** The n-th host's own colour. */
export function paintHost(n: number, text: string): string {
  return paint(perHost[n % perHost.length] ?? 'cyan', text)
}
