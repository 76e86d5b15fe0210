// A key in a file that this account alone may read: made once, whole or not at all, and never over another's. It knows no key's form.

import { randomBytes } from 'node:crypto'
import { link, open, readFile, rm, stat } from 'node:fs/promises'
import { failure } from '../contract/errors.ts'

/** What the file holds; `make` says it where there is none yet. Throws `home.unusable`, also for a file that others may read. */
export async function loadKeyFile(file: string, make: () => string | Uint8Array): Promise<Buffer> {
  return (await read(file)) ?? (await create(file, make()))
}

async function read(file: string): Promise<Buffer | undefined> {
  try {
    const { mode } = await stat(file)
    if ((mode & 0o077) !== 0)
      throw failure('home.unusable', { path: file, problem: 'other accounts may read it; set its mode to 0600' })
    return await readFile(file)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

/** Written beside, then linked under its name. */
async function create(file: string, key: string | Uint8Array): Promise<Buffer> {
  const fresh = `${file}.${randomBytes(6).toString('hex')}.new`
  try {
    await using handle = await open(fresh, 'wx', 0o600)
    await handle.writeFile(key)
    await handle.sync()
    await link(fresh, file)
    return Buffer.from(key)
  } catch (error) {
    // Another process was faster: its key is the one.
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return readFile(file)
    throw failure('home.unusable', { path: file, problem: (error as Error).message }, { cause: error })
  } finally {
    await rm(fresh, { force: true })
  }
}
