// What of a copy is done: for who watches it, and for its result.

import type { MusterError } from '../contract/errors.ts'
import { below } from './disk/reading.ts'
import type { Batch, LargeFile, Plan, Problem } from './plan.ts'
import { type Place, placeText } from './side.ts'

export interface CopyProgress {
  readonly files: number
  readonly filesInAll: number
  readonly bytes: number
  readonly bytesInAll: number
  /** Found at the target as a broken copy had left it; part of `bytes`. */
  readonly resumedBytes: number
}

export interface CopiedFile {
  readonly from: string
  readonly to: string
  readonly bytes: number
  /** As both sides have counted it; null in a dry run. */
  readonly sha256: string | null
}

export interface CopyOutcome {
  readonly copied: readonly CopiedFile[]
  readonly directories: number
  readonly bytes: number
  /** Bytes that were sent for it, also those that were sent twice. */
  readonly sentBytes: number
  readonly resumedBytes: number
  /** Files that were at the target already, or are not to be replaced. */
  readonly left: number
  /** Of these, how many are another than their source. */
  readonly unlike: number
  readonly problems: readonly Problem[]
}

export interface Tally {
  /** So far a file has come, or the bytes of a batch; `sent` bytes more have gone out. */
  under(what: LargeFile | Batch, at: number, sent: number): void
  dropped(what: LargeFile): void
  copied(file: LargeFile, sha256: string): void
  copiedBatch(batch: Batch, kept: readonly { readonly name: string; readonly sha256: string }[]): void
  /** What somebody else has put there meanwhile. */
  leave(): void
  failed(place: Place, error: MusterError): void
  outcome(): CopyOutcome
  /** As if all of it had been done. */
  planned(): CopyOutcome
}

export function makeTally(
  { large, batches, directories, problems: known, left: leftAlone, unlike: unlikeBefore }: Plan,
  tell: (progress: CopyProgress) => void,
): Tally {
  const copied: CopiedFile[] = []
  const problems = [...known]
  const under = new Map<LargeFile | Batch, number>()
  const all = [...large.map(fileOf), ...batches.flatMap((batch) => batch.files.map((file) => inBatch(batch, file)))]
  const bytesInAll = sum(all.map(({ bytes }) => bytes))
  let doneBytes = 0
  let sentBytes = 0
  let resumedBytes = 0
  let left = leftAlone
  let unlike = unlikeBefore

  function progress(): void {
    const bytes = Math.min(bytesInAll, doneBytes + sum([...under.values()]))
    tell({ files: copied.length, filesInAll: all.length, bytes, bytesInAll, resumedBytes })
  }

  function done(file: CopiedFile): void {
    copied.push(file)
    doneBytes += file.bytes
  }

  const outcome = (): CopyOutcome => ({
    copied: copied.sort((a, b) => (a.to < b.to ? -1 : 1)),
    directories: sum(directories.map((one) => one.all.filter(({ isThere }) => !isThere).length)),
    bytes: doneBytes,
    sentBytes,
    resumedBytes,
    left,
    unlike,
    problems,
  })

  return {
    under(what, at, sent) {
      if (sent === 0 && !under.has(what)) resumedBytes += at
      under.set(what, at)
      sentBytes += sent
      progress()
    },
    dropped(what) {
      under.delete(what)
    },
    copied(file, sha256) {
      under.delete(file)
      done({ ...fileOf(file), sha256 })
      progress()
    },
    copiedBatch(batch, kept) {
      under.delete(batch)
      const bytesOf = new Map(batch.files.map(({ name, bytes }) => [name, bytes]))
      for (const { name, sha256 } of kept) done({ ...inBatch(batch, { name, bytes: bytesOf.get(name) ?? 0 }), sha256 })
      progress()
    },
    leave() {
      left++
      unlike++
    },
    failed(place, error) {
      problems.push({ place: placeText(place), error })
    },
    outcome,
    planned() {
      for (const file of all) done(file)
      return outcome()
    },
  }
}

function fileOf({ from, to, bytes }: LargeFile): CopiedFile {
  return { from: placeText(from), to: placeText(to), bytes, sha256: null }
}

function inBatch({ from, to }: Batch, { name, bytes }: Batch['files'][number]): CopiedFile {
  const place = ({ side, path }: Place) => placeText({ side, path: below(path, name) })
  return { from: place(from), to: place(to), bytes, sha256: null }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((all, one) => all + one, 0)
}
