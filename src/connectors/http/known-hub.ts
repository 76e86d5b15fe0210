// Which hub answered at the address first. Another one there has runs and a journal of its own, so that nothing which this hub remembers
// of the host would fit it. It is no proof: whoever has the address and a certificate for it can say any id.

import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { failure } from '../../contract/errors.ts'

export interface KnownHub {
  /** Takes the first id for the known one, durably. Throws `host.other_hub` for another. */
  expect(id: string): Promise<void>
}

/** `dir` is the connector's own. */
export function knownHub(dir: string, host: string): KnownHub {
  const file = join(dir, 'hub')
  let known: string | undefined
  return {
    async expect(id) {
      known ??= await readId(file)
      if (known === undefined) await writeId(dir, file, id)
      known ??= id
      if (known !== id) throw failure('host.other_hub', { host, expected: known, actual: id })
    },
  }
}

async function readId(file: string): Promise<string | undefined> {
  try {
    return (await readFile(file, 'utf8')).trim() || undefined
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

async function writeId(dir: string, file: string, id: string): Promise<void> {
  await mkdir(dir, { recursive: true, mode: 0o700 })
  const fresh = `${file}.${process.pid}.new`
  await writeFile(fresh, `${id}\n`, { mode: 0o600, flush: true })
  await rename(fresh, file)
}
