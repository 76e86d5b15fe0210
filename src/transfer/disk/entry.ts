// What a file system says of a file, as the contract tells it; and its time back again.

import type { BigIntStats } from 'node:fs'
import type { FileKind, FoundFile } from '../../contract/file.ts'

export function describe(found: BigIntStats): Omit<FoundFile, 'path'> {
  return {
    kind: kindOf(found),
    bytes: Number(found.size),
    mode: Number(found.mode & 0o777n),
    modifiedAt: timeText(found.mtimeNs),
    version: [found.dev, found.ino, found.size, found.mtimeNs].map((part) => part.toString(36)).join('-'),
  }
}

export function kindOf(found: Pick<BigIntStats, 'isFile' | 'isDirectory' | 'isSymbolicLink'>): FileKind {
  if (found.isFile()) return 'file'
  if (found.isDirectory()) return 'directory'
  return found.isSymbolicLink() ? 'link' : 'other'
}

/** ISO 8601 with microseconds, as fine as Node can set it. */
function timeText(ns: bigint): string {
  const micros = ns / 1000n - (ns % 1000n < 0n ? 1n : 0n)
  const ms = micros / 1000n - (micros % 1000n < 0n ? 1n : 0n)
  const date = new Date(Number(ms))
  const year = date.getUTCFullYear()
  // What no calendar of four digits can say is nobody's real time.
  if (!(year >= 0 && year <= 9999)) return '1970-01-01T00:00:00.000000Z'
  return date.toISOString().replace('Z', `${String(micros - ms * 1000n).padStart(3, '0')}Z`)
}

/** For `utimes`, which takes seconds: a little more, so that what it cuts off is none of the microseconds. */
export function secondsOf(time: string): number {
  const [whole = '', fraction = ''] = time.replace(/Z$/, '').split('.')
  const seconds = Date.parse(`${whole}Z`) / 1000
  return seconds + Number(fraction.padEnd(6, '0').slice(0, 6)) / 1e6 + 4e-7
}
