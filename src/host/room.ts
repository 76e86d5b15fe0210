// Whether a disk has room left. Asked while a process writes, since what it could not write is nowhere, and before a home is used.

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
