// A home on a disk of its own: a few MiB of memory, mounted for the test, which can be filled, freed and made read-only.
// Only root can mount; elsewhere the tests that need it are skipped.

import { execFileSync, spawnSync } from 'node:child_process'
import { closeSync, fstatSync, ftruncateSync, mkdtempSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { endProcessesOf, type Home } from '../resources/home.ts'
import { until } from '../resources/muster.ts'

export interface SmallDisk extends Home {
  /** Uses up what room there is, but for so many bytes. */
  fill(leaveBytes?: number): void
  free(): void
  remount(how: 'ro' | 'rw'): void
}

export const canMount = triedToMount()

export function makeSmallDisk(mebibytes: number): SmallDisk {
  const path = mkdtempSync(join(tmpdir(), 'muster-disk-'))
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${mebibytes}m,mode=700`, 'tmpfs', path])
  const filler = join(path, 'filler')
  return {
    path,
    fill(leaveBytes = 0) {
      const file = openSync(filler, 'a')
      try {
        takeAll(file)
        const { bavail, bsize } = statfsSync(path)
        if (bavail > 0) throw new Error(`${path} has ${bavail * bsize} bytes left`)
        if (leaveBytes > 0) shorten(file, leaveBytes)
      } finally {
        closeSync(file)
      }
    },
    free: () => rmSync(filler),
    remount: (how) => void execFileSync('mount', ['-o', `remount,${how}`, path], { stdio: 'pipe' }),
    async [Symbol.asyncDispose]() {
      await until(`${path} is let go of`, async () => {
        await endProcessesOf(path)
        return spawnSync('umount', [path]).status === 0 ? true : undefined
      })
      await rm(path, { recursive: true })
    },
  }
}

const block = Buffer.alloc(64 * 1024)

function takeAll(file: number): void {
  for (let size = block.length; size >= 1; size = Math.floor(size / 2)) {
    while (takes(file, size));
  }
}

function takes(file: number, size: number): boolean {
  try {
    return writeSync(file, block, 0, size) === size
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOSPC') return false
    throw error
  }
}

function shorten(file: number, byBytes: number): void {
  ftruncateSync(file, fstatSync(file).size - byBytes)
}

/** Root of a container may lack the right to. */
function triedToMount(): boolean {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return false
  const path = mkdtempSync(join(tmpdir(), 'muster-disk-'))
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', path]).status === 0
  if (mounted) execFileSync('umount', [path])
  rmSync(path, { recursive: true })
  return mounted
}
