// The last of what a process wrote to its standard error: what a person reads first when it has failed.

import { closeSync, fstatSync, openSync, readSync } from 'node:fs'

const tailBytes = 4096

/** Empty when there is no such file. */
export function readTail(file: string): string {
  let opened: number
  try {
    opened = openSync(file, 'r')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return ''
    throw error
  }
  try {
    const { size } = fstatSync(opened)
    const tail = Buffer.alloc(Math.min(size, tailBytes))
    const read = readSync(opened, tail, 0, tail.length, size - tail.length)
    return tail.toString('utf8', 0, read)
  } finally {
    closeSync(opened)
  }
}
