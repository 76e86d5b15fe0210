// The directories in which files of a machine may be read and written for others. A path is taken component by component as it is written:
// no "..", and no link on the way. Where the system says where an open directory is (/proc), what was opened is asked, and everything in
// it is named through it: a directory that is swapped for a link at the right moment leads nowhere else. Elsewhere each component is
// opened without following a link and held, and looked at again around each use.

import { type BigIntStats, constants } from 'node:fs'
import { type FileHandle, lstat, open, readlink, realpath } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { failure } from '../../contract/errors.ts'
import { describeFileProblem } from '../../contract/file-problem.ts'

/** The directory of a path inside the jail, open; `entry` names what is in it, free of races where the system has /proc. */
export interface Inside extends AsyncDisposable {
  /** Of the path in it; empty where the path is the directory itself. */
  readonly name: string
  entry(name: string): string
  /**
   * Throws unless names still lead where they led, where that is not sure anyway, and what was `opened` by the name of the path is what
   * is there: asked after something was opened, and before it counts.
   */
  confirm(opened?: Pick<BigIntStats, 'dev' | 'ino'>): Promise<void>
  /** So that a name that was made, or taken away, survives a loss of power. */
  sync(): Promise<void>
}

export interface Jail {
  /** The directories that are open now; relative paths begin in the first. */
  readonly roots: readonly string[]
  /** One that none of them opens ($MUSTER_HOME): who could write there would say what the policy is. */
  readonly except?: string
  /** The one directory in it that is open all the same, where it is a root. */
  readonly own?: string
}

/** `none`: as on a system without /proc, for tests. */
export type Held = 'proc' | 'none'

/** The one way to write it: what a condition of the policy is asked about has no doubled slash, and none at its end. */
export function plainPath(path: string): string {
  return path.replace(/\/{2,}/g, '/').replace(/(?<=.)\/$/, '')
}

/** What a caller means: relative paths begin at the first root. Undefined for what has `..` in it, or no root to begin at. */
export function absolutePath([first]: readonly string[], path: string): string | undefined {
  if (!path.startsWith('/') && first === undefined) return undefined
  const whole = plainPath(path.startsWith('/') ? path : `${first}/${path}`)
  return whole.split('/').some((part) => part === '..' || part === '.') ? undefined : whole
}

/** `as`: whether the path itself is the directory, or something in it. Throws `file.outside`, `file.unreadable`. */
export async function openInside(jail: Jail, path: string, as: 'directory' | 'entry', by?: Held): Promise<Inside> {
  const { roots } = jail
  const clean = absolutePath(roots, path)
  const root = clean === undefined ? undefined : await rootOf(roots, clean)
  if (clean === undefined || root === undefined) throw outside(roots, path)
  const isRoot = clean === root.given
  if (isRoot && as === 'entry') throw failure('file.unreadable', { file: path, problem: 'it is a directory' })
  const real = join(root.real, clean.slice(root.given.length))
  const [dir, name] = as === 'directory' ? [real, ''] : [dirname(real), basename(real)]
  if (root.given !== jail.own && (await isIn(jail.except, dir))) throw outside(roots, path)
  return (by ?? (await known)) === 'proc' ? openHeld(path, dir, name) : openWatched(path, root.real, dir, name)
}

/** As it is written, and whatever there is. */
export function isBelow(root: string, path: string): boolean {
  return path === root || path.startsWith(root === '/' ? root : `${root}/`)
}

/** A root may itself be reached by links: it is the operator's word. */
async function rootOf(roots: readonly string[], path: string): Promise<{ given: string; real: string } | undefined> {
  for (const one of roots) {
    const given = plainPath(one)
    if (!isBelow(given, path)) continue
    const real = await realpath(given).catch(() => undefined)
    if (real !== undefined) return { given, real }
  }
  return undefined
}

async function isIn(except: string | undefined, dir: string): Promise<boolean> {
  const kept = except === undefined ? undefined : await realpath(except).catch(() => undefined)
  return kept !== undefined && `${dir}/`.startsWith(`${kept}/`)
}

const directoryOnly = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW

async function openHeld(path: string, dir: string, name: string): Promise<Inside> {
  const handle = await openDirectory(path, dir)
  try {
    const held = `/proc/self/fd/${handle.fd}`
    if ((await readlink(held)) !== dir) throw leadsElsewhere(path)
    return {
      name,
      // Not `join`, which would make of "." the link that stands for the directory.
      entry: (one) => `${held}/${one}`,
      confirm: async () => undefined,
      sync: () => handle.sync(),
      [Symbol.asyncDispose]: () => handle.close(),
    }
  } catch (error) {
    await handle.close()
    throw error
  }
}

interface Component {
  readonly path: string
  readonly handle: FileHandle
  readonly found: BigIntStats
}

async function openWatched(path: string, root: string, dir: string, name: string): Promise<Inside> {
  await using opened = new AsyncDisposableStack()
  const way: Component[] = []
  const below = dir.slice(root === '/' ? 0 : root.length).split('/')
  let at = root
  for (const part of ['', ...below.filter((one) => one !== '')]) {
    at = join(at, part)
    const handle = await openDirectory(path, at)
    opened.defer(() => handle.close())
    way.push({ path: at, handle, found: await handle.stat({ bigint: true }) })
  }
  const confirm: Inside['confirm'] = async (opened) => {
    const there = [...way, ...(opened ? [{ path: join(dir, name), found: opened }] : [])]
    for (const { path: component, found } of there) {
      const now = await lstat(component, { bigint: true }).catch(() => undefined)
      if (now?.ino !== found.ino || now.dev !== found.dev) throw leadsElsewhere(path)
    }
  }
  await confirm()
  const last = way.at(-1)
  const handles = opened.move()
  return {
    name,
    entry: (one) => `${dir}/${one}`,
    confirm,
    sync: async () => last?.handle.sync(),
    [Symbol.asyncDispose]: () => handles.disposeAsync(),
  }
}

async function openDirectory(path: string, dir: string): Promise<FileHandle> {
  try {
    return await open(dir, directoryOnly)
  } catch (error) {
    throw unreadable(path, error)
  }
}

const known: Promise<Held> = readlink('/proc/self').then(
  () => 'proc',
  () => 'none',
)

function leadsElsewhere(path: string) {
  return failure('file.unreadable', { file: path, problem: 'its path leads through a link, and links are not followed' })
}

/** The refusal, which says what would be permitted. */
export function outside(roots: readonly string[], path: string) {
  return failure('file.outside', { path, ...(roots.length > 0 && { roots: roots.join(', ') }) })
}

export function unreadable(path: string, error: unknown) {
  const { code } = error as NodeJS.ErrnoException
  if (code === 'ELOOP' || code === 'ENOTDIR') return leadsElsewhere(path)
  return failure('file.unreadable', { file: path, problem: describeFileProblem(error) }, { cause: error })
}

export function unwritable(path: string, error: unknown) {
  return failure('file.unwritable', { file: path, problem: describeFileProblem(error) }, { cause: error })
}
