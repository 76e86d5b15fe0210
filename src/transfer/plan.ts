// What a copy has to do, seen from both sides before a byte moves: which directories to make, which files to send and by which way, what is
// there already, and what cannot be copied.

import { failure, type MusterError } from '../contract/errors.ts'
import { type FoundFile, fileLimits, lookAtFile, type WalkedFile, walkFiles } from '../contract/file.ts'
import { below } from './disk/reading.ts'
import { onSide, type Place, placeText } from './side.ts'

export interface Problem {
  /** Of the source, or of the target where that is what is wrong. */
  readonly place: string
  readonly error: MusterError
}

/** A file of its own transfer, gone on with where it broke off. */
export interface LargeFile {
  readonly from: Place
  readonly to: Place
  readonly bytes: number
  readonly mode: number
  readonly modifiedAt: string
  readonly version: string
  /** The version that is there; null for none. */
  readonly replaces: string | null
}

/** Files that go in one request. */
export interface Batch {
  readonly from: Place
  readonly to: Place
  readonly files: readonly { readonly name: string; readonly bytes: number }[]
}

export interface Directories {
  readonly from: Place
  readonly to: Place
  /** The tree's own directory is not there before this copy: until its end it is marked as unfinished. */
  readonly isOwn: boolean
  /** Parents before what is in them. */
  readonly all: readonly {
    readonly name: string
    readonly mode: number
    readonly modifiedAt: string
    readonly isThere: boolean
  }[]
}

export interface Plan {
  readonly directories: Directories[]
  readonly large: LargeFile[]
  readonly batches: Batch[]
  readonly problems: Problem[]
  /** Files that are at the target as they are at the source, or are not to be replaced. */
  left: number
  /** Of these, how many are another than their source. */
  unlike: number
}

export interface Rules {
  readonly recursive: boolean
  /** Also what seems to be there already. */
  readonly again: boolean
  /** Whether files that are there are replaced. */
  readonly replace: boolean
}

/** What one of the sources named turned out to be. */
export interface Source {
  readonly place: Place
  readonly found: FoundFile
  readonly target: Place
  readonly there: FoundFile | null
  /** A tree that was begun here before, by the same words. */
  readonly isGoneOnWith?: boolean
}

/** So many of a batch's names fit into the address of a request. */
const mostNameBytes = 6 * 1024

/** What a side tells of itself is kept until the end, and it may tell for ever. */
const mostHeldBytes = 1024 ** 3
const entryBytes = 256
const tooMany = 'it has too many files for one copy; copy its directories one by one'

export async function makePlan(sources: readonly Source[], rules: Rules, signal: AbortSignal): Promise<Plan> {
  const plan: Plan = { directories: [], large: [], batches: [], problems: [], left: 0, unlike: 0 }
  for (const source of sources) {
    if (source.found.kind === 'directory') await planTree(source, rules, plan, signal)
    else planOne(source, rules, plan)
  }
  return plan
}

function planOne({ place, found, target, there }: Source, rules: Rules, plan: Plan): void {
  if (!isCopied(found, place, plan) || !mayReplace(found, there, target, rules, plan)) return
  plan.large.push(largeOf(found, place, target, there))
}

async function planTree(
  { place, found, target, there, isGoneOnWith = false }: Source,
  rules: Rules,
  plan: Plan,
  signal: AbortSignal,
): Promise<void> {
  if (!rules.recursive) return refuse(plan, place, 'it is a directory; `-r` copies directories')
  if (there && there.kind !== 'directory')
    return refuse(plan, target, `a ${there.kind} is there, and a directory is to be copied`)
  const known = there ? await filesBelow(target, 'write', signal) : new Map<string, WalkedFile>()
  const all = [{ name: '', mode: found.mode, modifiedAt: found.modifiedAt, isThere: there !== null }]
  const small: Batch['files'][number][] = []
  const broken = new Set<string>()
  for await (const one of walked(place, 'read', signal)) {
    const from = { ...place, path: below(place.path, one.name) }
    const to = { ...target, path: below(target.path, one.name) }
    const was = known.get(one.name) ?? null
    if (isBelow(broken, one.name)) continue
    if (one.problem !== undefined) {
      refuse(plan, from, one.problem)
      broken.add(one.name)
    } else if (one.kind === 'directory') {
      if (was && was.kind !== 'directory') {
        refuse(plan, to, `a ${was.kind} is there, and a directory is to be copied`)
        broken.add(one.name)
      } else all.push({ name: one.name, mode: one.mode, modifiedAt: one.modifiedAt, isThere: was !== null })
    } else if (isCopied(one, from, plan) && mayReplace(one, was, to, rules, plan)) {
      if (one.bytes <= fileLimits.smallBytes) small.push({ name: one.name, bytes: one.bytes })
      else plan.large.push(largeOf(one, from, to, was))
    }
  }
  plan.directories.push({ from: place, to: target, isOwn: there === null || isGoneOnWith, all })
  plan.batches.push(...batchesOf(small).map((files) => ({ from: place, to: target, files })))
}

async function filesBelow(place: Place, meant: 'read' | 'write', signal: AbortSignal): Promise<Map<string, WalkedFile>> {
  const found = new Map<string, WalkedFile>()
  for await (const one of walked(place, meant, signal)) found.set(one.name, one)
  return found
}

/** What is below a directory, or matches a glob there. */
export async function* walked(
  place: Place,
  meant: 'read' | 'write',
  signal: AbortSignal,
  glob?: string,
): AsyncGenerator<WalkedFile> {
  const { side, path } = place
  const items = side.caller.items(walkFiles, { path, glob, for: meant }, { signal })[Symbol.asyncIterator]()
  let held = 0
  try {
    for (;;) {
      const next = await onSide(side, items.next())
      if (next.done) return
      held += next.value.name.length + entryBytes
      if (held > mostHeldBytes) throw failure('file.not_copied', { place: placeText(place), problem: tooMany })
      yield next.value
    }
  } finally {
    await items.return?.()
  }
}

/** Links are told and left: what they lead to may be anything. */
function isCopied(found: Pick<FoundFile, 'kind'>, place: Place, plan: Plan): boolean {
  if (found.kind === 'file') return true
  refuse(plan, place, found.kind === 'link' ? 'it is a link, and links are not copied' : 'it is no regular file')
  return false
}

type Seen = Pick<FoundFile, 'kind' | 'bytes' | 'mode' | 'modifiedAt' | 'version'>

function mayReplace(found: Seen, there: Seen | null, target: Place, { again, replace }: Rules, plan: Plan): boolean {
  if (!there) return true
  if (there.kind !== 'file') {
    refuse(plan, target, `a ${there.kind} is there, and a file is to be copied`)
    return false
  }
  const isSame = there.bytes === found.bytes && there.modifiedAt === found.modifiedAt && there.mode === found.mode
  if (replace && (again || !isSame)) return true
  plan.left++
  if (!isSame) plan.unlike++
  return false
}

function largeOf({ bytes, mode, modifiedAt, version }: Seen, from: Place, to: Place, there: Seen | null): LargeFile {
  return { from, to, bytes, mode, modifiedAt, version, replaces: there?.version ?? null }
}

function batchesOf(files: readonly Batch['files'][number][]): Batch['files'][] {
  const batches: Batch['files'][number][][] = []
  let bytes = 0
  let nameBytes = 0
  for (const file of files) {
    const name = encodeURIComponent(file.name).length + 'names=&'.length
    const last = batches.at(-1)
    const isFull =
      last &&
      (last.length >= fileLimits.severalFiles || bytes + file.bytes > fileLimits.severalBytes || nameBytes + name > mostNameBytes)
    if (!last || isFull) {
      batches.push([file])
      bytes = file.bytes
      nameBytes = name
    } else {
      last.push(file)
      bytes += file.bytes
      nameBytes += name
    }
  }
  return batches
}

function isBelow(broken: ReadonlySet<string>, name: string): boolean {
  if (broken.size === 0) return false
  for (let cut = name.lastIndexOf('/'); cut > 0; cut = name.lastIndexOf('/', cut - 1))
    if (broken.has(name.slice(0, cut))) return true
  return false
}

function refuse(plan: Plan, place: Place, problem: string): void {
  plan.problems.push({ place: placeText(place), error: failure('file.not_copied', { place: placeText(place), problem }) })
}

/** What is at a place. */
export async function lookAt({ side, path }: Place, meant: 'read' | 'write', signal: AbortSignal) {
  return await onSide(side, side.caller.call(lookAtFile, { path, for: meant }, { signal }))
}
