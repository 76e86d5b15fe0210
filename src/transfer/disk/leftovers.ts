// What copies lay beside their targets until it takes their names, and what of it nobody has gone on with. Its names are nobody else's: a
// walk passes over them, and what has lain for long is removed when a copy next has to do with the directory.

import { randomBytes } from 'node:crypto'
import { lstat, readdir, rm } from 'node:fs/promises'
import type { Inside } from './jail.ts'

/** The first half of an id is of a source and its target, the second of the source's version. */
export const partName = (transfer: string) => `.muster-${transfer.slice(0, 16)}-${transfer.slice(16)}.part`

export interface FreshNames {
  next(): string
}

/** Of one request alone: random once, then counted. */
export function freshNames(): FreshNames {
  const random = randomBytes(5).toString('hex')
  let count = 0
  return { next: () => `.muster-${random}${(count++).toString(16).padStart(6, '0')}.new` }
}

const parts = /^\.muster-([0-9a-f]{16})-[0-9a-f]{16}\.part$/
const freshFiles = /^\.muster-[0-9a-f]{16}\.new$/

/** After so long nobody goes on with a transfer any more, and no request is still writing. */
const keptMs = { part: 7 * 24 * 3_600_000, fresh: 24 * 3_600_000 }

export function isLeftover(name: string): boolean {
  return parts.test(name) || freshFiles.test(name)
}

/** Removes what is old, and what another version of the same source has left for the same target. */
export async function sweep(dir: Inside, transfer?: string): Promise<void> {
  const own = transfer === undefined ? undefined : partName(transfer)
  const names = (await readdir(dir.entry('.'))).filter(isLeftover)
  for (const name of names) {
    const part = parts.exec(name)
    const isFormer = name !== own && part?.[1] !== undefined && part[1] === transfer?.slice(0, 16)
    if (isFormer || (await isOld(dir, name, part ? keptMs.part : keptMs.fresh))) await rm(dir.entry(name), { force: true })
  }
}

async function isOld(dir: Inside, name: string, keptForMs: number): Promise<boolean> {
  const found = await lstat(dir.entry(name)).catch(() => undefined)
  if (!found?.isFile() || (process.getuid !== undefined && found.uid !== process.getuid())) return false
  return Date.now() - found.ctimeMs > keptForMs
}
