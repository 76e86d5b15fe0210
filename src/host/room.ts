// How much room a disk has left. Asked while a process writes, since what it could not write is nowhere, before a home is used, and
// before a host keeps files.

import { statfsSync } from 'node:fs'

/** False where that cannot be seen, too. */
export function isDiskFull(dir: string): boolean {
  try {
    const { blocks, bfree, bavail } = statfsSync(dir)
    // Some file systems keep the last blocks for root, and some count none at all.
    return blocks > 0 && (process.getuid?.() === 0 ? bfree : bavail) === 0
  } catch {
    return false
  }
}

const leaveFreeBytes = 1024 ** 3

/** What may be taken of a disk and leaves it room: a GiB, or a tenth of a small one. Infinity where that cannot be seen. */
export function roomToTake(dir: string): number {
  try {
    const { blocks, bavail, bsize } = statfsSync(dir)
    return blocks === 0 ? Infinity : Math.max(0, bavail * bsize - Math.min(leaveFreeBytes, (blocks * bsize) / 10))
  } catch {
    return Infinity
  }
}
