// The directories in which `file.*` may work. A path is taken component by component as it is written: no "..", and no link on the way.
// What was opened is asked where it is, so that a directory which is swapped for a link at the right moment leads nowhere else.

import { constants } from 'node:fs'
import { type FileHandle, open, readlink, realpath } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { failure } from '../../contract/errors.ts'
import { describeFileProblem } from '../../contract/file-problem.ts'

/** The directory of a path inside the jail, open; `entry` names what is in it, free of races where the system has /proc. */
export interface Inside extends AsyncDisposable {
  /** Of the path in it; empty where the path is the directory itself. */
  readonly name: string
  entry(name: string): string
  /** So that a name that was made, or taken away, survives a loss of power. */
  sync(): Promise<void>
}

export interface Jail {
  /** The directories that the policy names now. */
  readonly roots: readonly string[]
  /** One that none of them opens: who could write there would say what the policy is. */
  readonly except: string
}

/** `as`: whether the path itself is the directory, or something in it. Throws `file.outside`, `file.unreadable`. */
export async function openInside({ roots, except }: Jail, path: string, as: 'directory' | 'entry'): Promise<Inside> {
  const clean = path.length > 1 ? path.replace(/\/+$/, '') : path
  if (!clean.startsWith('/') || clean.split('/').some((part) => part === '..' || part === '.'))
    throw failure('file.outside', { path })
  const root = await rootOf(roots, clean)
  if (root === undefined) throw failure('file.outside', { path })
  const isRoot = clean === root.given
  if (isRoot && as === 'entry') throw failure('file.unreadable', { file: path, problem: 'it is a directory' })
  const real = join(root.real, clean.slice(root.given.length))
  const dir = as === 'directory' ? real : dirname(real)
  const kept = await realpath(except).catch(() => undefined)
  if (kept !== undefined && `${dir}/`.startsWith(`${kept}/`)) throw failure('file.outside', { path })
  return openDirectory(path, dir, as === 'directory' ? '' : basename(real))
}

/** A root may itself be reached by links: it is the operator's word. */
async function rootOf(roots: readonly string[], path: string): Promise<{ given: string; real: string } | undefined> {
  for (const one of roots) {
    const given = one.length > 1 ? one.replace(/\/+$/, '') : one
    if (path !== given && !path.startsWith(given === '/' ? given : `${given}/`)) continue
    const real = await realpath(given).catch(() => undefined)
    if (real !== undefined) return { given, real }
  }
  return undefined
}

async function openDirectory(path: string, dir: string, name: string): Promise<Inside> {
  let handle: FileHandle
  try {
    handle = await open(dir, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW)
  } catch (error) {
    throw unreadable(path, error)
  }
  try {
    if ((await placeOf(handle, dir)) !== dir) throw leadsElsewhere(path)
    const held = (await hasProc) ? `/proc/self/fd/${handle.fd}` : dir
    return {
      name,
      entry: (one) => join(held, one),
      sync: () => handle.sync(),
      [Symbol.asyncDispose]: () => handle.close(),
    }
  } catch (error) {
    await handle.close()
    throw error
  }
}

/** Where the system says that it is; where it does not say, where its path leads now. */
async function placeOf(handle: FileHandle, dir: string): Promise<string> {
  return (await hasProc) ? readlink(`/proc/self/fd/${handle.fd}`) : realpath(dir)
}

const hasProc: Promise<boolean> = readlink('/proc/self').then(
  () => true,
  () => false,
)

function leadsElsewhere(path: string) {
  return failure('file.unreadable', { file: path, problem: 'its path leads through a link, and links are not followed' })
}

export function unreadable(path: string, error: unknown) {
  const { code } = error as NodeJS.ErrnoException
  if (code === 'ELOOP' || code === 'ENOTDIR') return leadsElsewhere(path)
  return failure('file.unreadable', { file: path, problem: describeFileProblem(error) }, { cause: error })
}
