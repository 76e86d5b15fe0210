// The files of this checkout, for scripts and for the tests that hold its habits. Knows no rule.

import { readdirSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The top folder of the checkout, without a slash at the end. */
export const root = fileURLToPath(new URL('..', import.meta.url)).replace(/\/$/, '')

/** Files under `folder` whose name ends in `suffix`, sorted, as paths from the root; none when there is no such folder. */
export function filesBelow(folder: string, suffix: string): string[] {
  return entriesBelow(folder)
    .filter((entry) => entry.isFile() && entry.name.endsWith(suffix))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)))
    .sort()
}

/** The folders directly in `folder`. */
export function foldersIn(folder: string): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
    .sort()
}

function entriesBelow(folder: string) {
  try {
    return readdirSync(join(root, folder), { withFileTypes: true, recursive: true })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}
