// Collects what a run leaves behind, when its process has ended and before its end is told: its globs' files, in the order of their
// names, copied beside its output. Whatever cannot be kept is told with a reason and changes nothing else. Asked again, after a kill,
// it begins anew: nothing of it is told before all of it is.

import { mkdir, open, realpath, rm } from 'node:fs/promises'
import { type Artifact, ArtifactName, artifactLimits, type Refusal } from '../../contract/artifact.ts'
import { crashpoint } from '../../contract/crashpoint.ts'
import { isOutOfDescriptors } from '../../contract/errors.ts'
import { describeFileProblem } from '../../contract/file-problem.ts'
import { roomToTake } from '../room.ts'
import { copyArtifact, tooLarge } from './copy.ts'
import { matchGlobs } from './match.ts'
import { NotKept } from './open-inside.ts'

/** A run's end waits so long for its files, at most. */
const collectWithinMs = 15 * 60_000

export interface Collecting {
  readonly globs: readonly string[]
  /** The run's working directory. */
  readonly cwd: string
  /** Where they are kept; what is there is removed. */
  readonly dir: string
  /** Aborted when the run is asked to stop: what is not kept by then is not. */
  readonly stopped: AbortSignal
  /** Aborted when this host closes: then it rejects with the reason, and the next one collects. */
  readonly closing: AbortSignal
  readonly withinMs?: number
  readonly limits?: Readonly<Record<'files' | 'bytes' | 'totalBytes' | 'nameBytesInAll' | 'refusals', number>>
}

export interface Collected {
  readonly kept: readonly Artifact[]
  readonly refused: readonly Refusal[]
}

interface Progress {
  readonly kept: Artifact[]
  readonly refused: Refusal[]
  /** Those that are still to be looked at; undefined until they are known. */
  names: string[] | undefined
}

export async function collectArtifacts(of: Collecting): Promise<Collected> {
  const { globs, stopped, closing, withinMs = collectWithinMs, limits = artifactLimits } = of
  const late = AbortSignal.timeout(withinMs)
  const ending = AbortSignal.any([closing, stopped, late])
  const progress: Progress = { kept: [], refused: [], names: undefined }
  const ended = new Promise<never>((_, reject) => ending.addEventListener('abort', () => reject(ending.reason), { once: true }))
  try {
    ending.throwIfAborted()
    // A file system that answers no more holds up no end: what it was asked for is let go, and looked after by nobody.
    await Promise.race([collect(of, limits, progress, ending), ended])
  } catch (error) {
    closing.throwIfAborted()
    if (!ending.aborted) throw error
    const [next, ...others] = progress.names ?? globs
    const why = late.aborted ? `collecting took longer than ${withinMs / 60_000} minutes` : 'the run was asked to stop meanwhile'
    if (next !== undefined) progress.refused.unshift({ name: next, reason: andOthers(why, others.length) })
  }
  // As it is now: work that was let go may still come to something.
  return { kept: [...progress.kept], refused: fewer(progress.refused, limits.refusals) }
}

async function collect(
  { globs, cwd, dir }: Collecting,
  limits: NonNullable<Collecting['limits']>,
  progress: Progress,
  signal: AbortSignal,
): Promise<void> {
  const root = await prepare(cwd, dir, globs, progress)
  if (root === undefined) return
  const matched = await matchGlobs({ root, globs, signal })
  progress.refused.push(...matched.refused)
  progress.names = matched.names
  let bytes = 0
  let nameBytes = 0
  for (let name = progress.names[0]; name !== undefined; progress.names.shift(), name = progress.names[0]) {
    signal.throwIfAborted()
    nameBytes += Buffer.byteLength(name)
    if (progress.kept.length === limits.files || nameBytes > limits.nameBytesInAll) {
      const why = progress.kept.length === limits.files ? `${limits.files} files` : 'names so long'
      progress.refused.unshift({ name, reason: andOthers(`a run keeps no more than ${why}`, progress.names.length - 1) })
      break
    }
    try {
      requireName(name)
      const room = roomFor(dir, limits, bytes)
      progress.kept.push(await copyArtifact({ root, name, dir, room, signal }))
      bytes += progress.kept.at(-1)?.bytes ?? 0
    } catch (error) {
      if (!(error instanceof NotKept)) throw error
      progress.refused.push({ name, reason: error.message })
    }
    crashpoint('artifact.after-copy')
  }
  await syncDirectory(dir)
}

/** The working directory, its path resolved. Undefined when it is not there any more, or there is nowhere to keep anything. */
async function prepare(cwd: string, dir: string, globs: readonly string[], progress: Progress): Promise<string | undefined> {
  try {
    await rm(dir, { recursive: true, force: true })
    const root = await realpath(cwd)
    await mkdir(dir, { recursive: true, mode: 0o700 })
    return root
  } catch (error) {
    if (isOutOfDescriptors(error)) throw error
    const { path = cwd } = error as NodeJS.ErrnoException
    const reason = `${path.startsWith(dir) ? 'nothing can be kept on the host' : 'the working directory cannot be read'}: ${describeFileProblem(error)}`
    progress.refused.push(...globs.map((glob) => ({ name: glob, reason })))
    return undefined
  }
}

function requireName(name: string): void {
  if (name.includes('\ufffd')) throw new NotKept('its name is not UTF-8')
  const problem = ArtifactName.safeParse(name).error?.issues[0]
  if (problem)
    throw new NotKept(problem.code === 'too_big' ? 'its name is too long' : `its name cannot be kept: ${problem.message}`)
}

/** The least of what one file, all files of a run, and the disk may take. */
function roomFor(dir: string, limits: { bytes: number; totalBytes: number }, taken: number) {
  const rooms = [
    { bytes: limits.bytes, reason: tooLarge },
    { bytes: limits.totalBytes - taken, reason: 'the files of one run would take more room than they may' },
    { bytes: roomToTake(dir), reason: "there would be too little room left on the host's disk" },
  ]
  return rooms.reduce((least, one) => (one.bytes < least.bytes ? one : least))
}

function andOthers(reason: string, others: number): string {
  return others === 0 ? reason : `${reason}; the same holds for ${others} more`
}

/** Not longer than an event may say. */
function shown(name: string): string {
  return name.length > artifactLimits.nameChars ? `${name.slice(0, artifactLimits.nameChars - 1)}…` : name
}

function fewer(refused: readonly Refusal[], most: number): Refusal[] {
  const told = refused.slice(0, most).map(({ name, reason }) => ({ name: shown(name), reason }))
  const last = told.at(-1)
  if (last && refused.length > most)
    told[most - 1] = { ...last, reason: `${last.reason.slice(0, 300)}; ${refused.length - most} more were not kept either` }
  return told
}

async function syncDirectory(dir: string): Promise<void> {
  const opened = await open(dir)
  try {
    await opened.sync()
  } finally {
    await opened.close()
  }
}
