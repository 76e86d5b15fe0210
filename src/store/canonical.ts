// JSON whose text is the same for the same value, whatever the order in which its keys were written: to compare what was asked.

/** Of a JSON value. One whose keys come in order is not copied: every audit entry goes through here. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(isSorted(value) ? value : sortKeys(value))
}

function isSorted(value: unknown): boolean {
  if (value === null || typeof value !== 'object') return true
  if (Array.isArray(value)) return value.every(isSorted)
  let before = ''
  for (const [key, one] of Object.entries(value)) {
    if (key < before || !isSorted(one)) return false
    before = key
  }
  return true
}

function sortKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortKeys)
  if (value === null || typeof value !== 'object') return value
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
  return Object.fromEntries(entries.map(([key, one]) => [key, sortKeys(one)]))
}
