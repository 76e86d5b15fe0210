// The system's calls for files of which there are many. Each call that another thread makes costs five times what it does itself: who has
// nothing else to do makes them at once.

import { open, openSync, read, readSync } from 'node:fs'
import { promisify } from 'node:util'

export interface SmallFiles {
  open(path: string, flags: string | number, mode?: number): number | Promise<number>
  /** Answers how many bytes were there, from the file's beginning. */
  read(fd: number, into: Buffer): number | Promise<number>
}

const openElsewhere = promisify(open)
const readElsewhere = promisify(read)

/** By other threads: a disk that does not answer holds up nobody else. */
export const waiting: SmallFiles = {
  open: openElsewhere,
  read: async (fd, into) => (await readElsewhere(fd, into, 0, into.byteLength, 0)).bytesRead,
}

/** At once: this process waits for the disk. */
export const blocking: SmallFiles = {
  open: openSync,
  read: (fd, into) => readSync(fd, into, 0, into.byteLength, 0),
}
