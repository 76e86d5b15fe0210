// Who was there when a host was first reached: an id that is kept from then on. Another one there has runs and a journal of its own, so
// that nothing which this hub remembers of the host, its mirror least of all, would fit it. What an id proves is its connector's business.

import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'

export interface KnownFarSide {
  /** Undefined before the first time. */
  read(): Promise<string | undefined>
  /** Durable when it resolves. */
  keep(id: string): Promise<void>
}

/** `file`: in the connector's own directory, which is made with it. */
export function knownFarSide(file: string): KnownFarSide {
  return {
    async read() {
      try {
        return (await readFile(file, 'utf8')).trim() || undefined
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
        throw error
      }
    },
    async keep(id) {
      await mkdir(dirname(file), { recursive: true, mode: 0o700 })
      const fresh = `${file}.${process.pid}.new`
      await writeFile(fresh, `${id}\n`, { mode: 0o600, flush: true })
      await rename(fresh, file)
    },
  }
}
