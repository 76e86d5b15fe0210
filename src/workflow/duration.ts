// Durations as people write them in a workflow file: seconds, or a number with a unit.

const unitMs = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const
const written = /^(\d+(?:\.\d+)?)(s|m|h|d)$/

export const durationPattern = written
export const longestMs = 30 * unitMs.d

/** Milliseconds, or undefined for what is no duration, shorter than a millisecond or longer than 30 days. */
export function parseDuration(value: number | string): number | undefined {
  const ms = typeof value === 'number' ? value * 1000 : textMs(value)
  if (ms === undefined || !(ms >= 1 && ms <= longestMs)) return undefined
  return Math.round(ms)
}

function textMs(text: string): number | undefined {
  const match = written.exec(text)
  if (!match) return undefined
  return Number(match[1]) * unitMs[match[2] as keyof typeof unitMs]
}
