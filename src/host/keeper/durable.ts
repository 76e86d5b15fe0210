// Small files that are there whole or not at all, and stay there when the machine loses power.
// Synchronous: the keeper writes them around a spawn, in one turn of its loop, so that nothing can come in between.

import { closeSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'

/** Creates the file; answers false, changing nothing, if there is one already. Of several creators one wins. */
export function createDurably(file: string, text: string): boolean {
  let opened: number
  try {
    opened = openSync(file, 'wx', 0o600)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
  try {
    finish(opened, text)
    syncDirectory(dirname(file))
  } catch (error) {
    // A full disk, or no file descriptor left: it was not created, and who asked may ask again.
    rmSync(file)
    throw error
  }
  return true
}

export function replaceDurably(file: string, text: string): void {
  const fresh = `${file}.new`
  finish(openSync(fresh, 'w', 0o600), text)
  renameSync(fresh, file)
  syncDirectory(dirname(file))
}

/** The text; undefined when there is no such file. */
export function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

function finish(opened: number, text: string): void {
  try {
    writeFileSync(opened, text)
    fsyncSync(opened)
  } finally {
    closeSync(opened)
  }
}

function syncDirectory(dir: string): void {
  const opened = openSync(dir, 'r')
  try {
    fsyncSync(opened)
  } finally {
    closeSync(opened)
  }
}
