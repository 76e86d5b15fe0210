// Durations as people type them (`10m`, `1h30m`, `250ms`), and as lists show them.

const unitMs = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const
const whole = /^(?:\d+(?:\.\d+)?(?:ms|s|m|h|d))+$/
const parts = /(\d+(?:\.\d+)?)(ms|s|m|h|d)/g

/** Milliseconds; undefined for what is no duration or shorter than one millisecond. A unit is required. */
export function parseDuration(text: string): number | undefined {
  if (!whole.test(text)) return undefined
  const ms = [...text.matchAll(parts)].reduce(
    (sum, [, count, unit]) => sum + Number(count) * unitMs[unit as keyof typeof unitMs],
    0,
  )
  return Number.isSafeInteger(Math.round(ms)) && ms >= 1 ? Math.round(ms) : undefined
}

/** `840ms`, `3.2s`, `2m 05s`, `3h 04m`, `2d 03h`. */
export function showDuration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)}ms`
  if (ms < 59_950) return `${(ms / 1000).toFixed(1)}s`
  const seconds = Math.round(ms / 1000)
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m ${two(seconds % 60)}s`
  const minutes = Math.round(ms / 60_000)
  if (minutes < 24 * 60) return `${Math.floor(minutes / 60)}h ${two(minutes % 60)}m`
  const hours = Math.round(ms / 3_600_000)
  return `${Math.floor(hours / 24)}d ${two(hours % 24)}h`
}

/** `3 min ago`, as seen at `now`. A time in the future is a clock that differs: `just now`. */
export function showAgo(time: string, now = Date.now()): string {
  const seconds = Math.floor((now - Date.parse(time)) / 1000)
  if (seconds < 5) return 'just now'
  if (seconds < 60) return `${seconds} s ago`
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h ago`
  const days = Math.floor(seconds / 86_400)
  return days === 1 ? '1 day ago' : `${days} days ago`
}

function two(number: number): string {
  return String(number).padStart(2, '0')
}
