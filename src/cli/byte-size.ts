// How many bytes, for people: `512 B`, `1.5 KiB`, `98 MiB`.

const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'] as const

export function showBytes(bytes: number): string {
  const power = bytes < 1024 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(bytes) / 10))
  const amount = bytes / 1024 ** power
  return `${power === 0 || amount >= 100 ? Math.round(amount) : amount.toFixed(1)} ${units[power]}`
}
