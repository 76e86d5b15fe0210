// Hands to the disk what was written while more comes, so that little is left to flush once all is there.

import type { FileHandle } from 'node:fs/promises'

const flushEveryBytes = 64 * 1024 * 1024

export interface FlushBehind {
  /** Throws what the disk has said meanwhile: to who flushes later the system does not say it again. */
  wrote(bytes: number): void
  /** Resolves when nothing is under way any more. Throws as `wrote`. */
  over(): Promise<void>
}

export function flushBehind(file: Pick<FileHandle, 'datasync'>): FlushBehind {
  let unflushed = 0
  let under: Promise<void> | undefined
  let failed: { readonly error: unknown } | undefined

  async function flush(): Promise<void> {
    unflushed = 0
    try {
      await file.datasync()
    } catch (error) {
      failed = { error }
    }
    under = undefined
  }

  return {
    wrote(bytes) {
      if (failed) throw failed.error
      unflushed += bytes
      if (unflushed >= flushEveryBytes) under ??= flush()
    },
    async over() {
      await under
      if (failed) throw failed.error
    },
  }
}
