// Which Muster home an ssh host leads to: the key of its node, kept from the first time on. ssh knows machines, not homes, and the
// hub's mirror of one home must not go on with another's journal.

import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

const fileIn = (dir: string) => join(dir, 'machine')

/** The key's fingerprint; undefined before the first time. */
export async function knownMachine(dir: string): Promise<string | undefined> {
  try {
    return (await readFile(fileIn(dir), 'utf8')).trim()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

export async function keepMachine(dir: string, fingerprint: string): Promise<void> {
  await mkdir(dir, { recursive: true, mode: 0o700 })
  const fresh = `${fileIn(dir)}.new`
  await writeFile(fresh, `${fingerprint}\n`, { mode: 0o600, flush: true })
  await rename(fresh, fileIn(dir))
}
