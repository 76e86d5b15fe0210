// A copy from side to side, as `muster cp` and a model's `node_file` have it made: seen whole before it begins, several requests under way at
// once, each going on after a break. Which carrier is behind a side it cannot tell; no byte is kept between the two.

import { asMusterError, failure, hasCode, type MusterError } from '../contract/errors.ts'
import { below } from './disk/reading.ts'
import { sendFile } from './one-file.ts'
import type { Patience } from './patience.ts'
import { permitted } from './permitted.ts'
import { type Batch, type LargeFile, lookAt, makePlan, type Plan, type Rules, type Source } from './plan.ts'
import { sendBatch, sendDirectories, wantsOwnWay } from './several.ts'
import { isAboutWay, type Place, placeText, type Side } from './side.ts'
import { findSources, type NamedSource } from './sources.ts'
import { type CopyOutcome, type CopyProgress, makeTally, type Tally } from './tally.ts'
import { markFinished, markUnfinished } from './unfinished.ts'

export type { CopyOutcome, CopyProgress } from './tally.ts'

export interface CopyRequest extends Rules {
  readonly sources: readonly NamedSource[]
  readonly target: Place
  /** There must be a directory at the target. */
  readonly intoDirectory: boolean
  /** As in sources.ts: a directory becomes the target also where one is there. */
  readonly becomesTarget?: boolean
  /** Look and tell, and change nothing. */
  readonly dryRun: boolean
  readonly signal: AbortSignal
  readonly onProgress?: (progress: CopyProgress) => void
  readonly onWaiting?: (error: MusterError) => void
  /** Told of a question that was put to a person, for whose answer it waits: `{approval, expiresAt}`. */
  readonly onAsked?: (question: unknown) => void
}

const longestReason = 1_000
/** Requests under way at once. */
const atOnce = 4

/** Throws what ends all of it: a side that cannot be reached, or does not permit it. What one file meets is among the problems. */
export async function copyFiles(given: CopyRequest): Promise<CopyOutcome> {
  const request = withPermits(given)
  const { signal, dryRun, onWaiting = () => undefined } = request
  const sources = await findSources(request, signal)
  refuseTwice(sources)
  const plan = await makePlan(sources, request, signal)
  const tally = makeTally(plan, request.onProgress ?? (() => undefined))
  if (dryRun) return tally.planned()
  await carryOut(plan, request, { signal, onWaiting }, tally)
  return tally.outcome()
}

/** The same, with sides that ask people where they have to. */
function withPermits(request: CopyRequest): CopyRequest {
  const { sources, target, signal, onAsked = () => undefined } = request
  const reason = `to copy ${sources.map(placeText).join(', ')} to ${placeText(target)}`.slice(0, longestReason)
  const sides = new Map<Side, Side>()
  const asking = <P extends Place>(place: P): P => {
    const side = sides.get(place.side) ?? permitted(place.side, { signal, reason, onAsked })
    sides.set(place.side, side)
    return { ...place, side }
  }
  return { ...request, sources: sources.map(asking), target: asking(target) }
}

/** Two sources of one name would be one file at the end. */
function refuseTwice(sources: readonly Source[]): void {
  const targets = new Set<string>()
  for (const { target } of sources) {
    const place = placeText(target)
    const hint = 'Copy them one after the other, to different names.'
    if (targets.has(place)) throw failure('cli.usage', { problem: `Two of the sources would become ${place}.`, hint })
    targets.add(place)
  }
}

async function carryOut(plan: Plan, request: CopyRequest, patience: Patience, tally: Tally): Promise<void> {
  const replace = request.replace ? 'files' : 'nothing'
  const directories = async (stage: 'make' | 'end') => {
    for (const one of plan.directories)
      for (const { name, error } of await sendDirectories(one, stage, patience)) tally.failed(placeIn(one.to, name), error)
  }

  async function sendLarge(file: LargeFile): Promise<void> {
    try {
      const onBytes = (at: number, sent: number) => tally.under(file, at, sent)
      tally.copied(file, await sendFile(file, { patience, replace, onBytes }))
    } catch (error) {
      tally.dropped(file)
      missed(file.to, asMusterError(error))
    }
  }

  async function sendSmall(batch: Batch): Promise<void> {
    let at = 0
    const onBytes = (bytes: number) => {
      at += bytes
      tally.under(batch, at, bytes)
    }
    const { kept, failed } = await sendBatch(batch, { patience, replace, onBytes })
    tally.copiedBatch(batch, kept)
    for (const { name, error } of failed) {
      const file = wantsOwnWay(error) ? await lookAgain(batch, name) : undefined
      if (file) await sendLarge(file)
      else missed(placeIn(batch.to, name), error)
    }
  }

  /** As it is now; undefined where it is no file any more. */
  async function lookAgain({ from, to }: Batch, name: string): Promise<LargeFile | undefined> {
    const [source, target] = [placeIn(from, name), placeIn(to, name)]
    const { found } = await lookAt(source, 'read', patience.signal)
    const { found: there } = await lookAt(target, 'write', patience.signal)
    return found?.kind === 'file' ? { ...found, from: source, to: target, replaces: there?.version ?? null } : undefined
  }

  function missed(place: Place, error: MusterError): void {
    patience.signal.throwIfAborted()
    if (isAboutWay(error)) throw error
    if (replace === 'nothing' && hasCode(error, 'file.exists')) tally.leave()
    else tally.failed(place, error)
  }

  const own = plan.directories.filter(({ isOwn }) => isOwn)
  await directories('make')
  for (const { from, to } of own) await markUnfinished(from, to, patience)
  await inTurns([...plan.batches.map((batch) => () => sendSmall(batch)), ...plan.large.map((file) => () => sendLarge(file))])
  for (const { from, to } of own) await markFinished(from, to, patience)
  await directories('end')
}

/** So many at once; the first that fails ends it, once those under way have ended. */
async function inTurns(tasks: readonly (() => Promise<void>)[]): Promise<void> {
  let next = 0
  let failed: { readonly error: unknown } | undefined
  const worker = async () => {
    for (let task = tasks[next++]; task && !failed; task = tasks[next++]) {
      try {
        await task()
      } catch (error) {
        failed ??= { error }
      }
    }
  }
  await Promise.all(Array.from({ length: Math.min(atOnce, tasks.length) }, worker))
  if (failed) throw failed.error
}

function placeIn({ side, path }: Place, name: string): Place {
  return { side, path: below(path, name) }
}
