// What a segment makes of what an inbox has on record, before it is so: nothing of the record is changed, and nothing is written.

import { hasCode } from '../../contract/errors.ts'
import { applyEvent, type JournalEntry } from '../../contract/event.ts'
import { isTerminal } from '../../contract/run.ts'
import type { InboxState, KnownRun } from './inbox-state.ts'
import type { SegmentMessage } from './messages.ts'

export interface Draft {
  /** The runs of which it tells, as they are then. */
  readonly runs: ReadonlyMap<string, KnownRun>
  readonly fresh: readonly JournalEntry[]
  /** What goes where in the files of output, each stretch whole. */
  readonly writes: readonly { readonly file: string; readonly offset: number; readonly parts: readonly Uint8Array[] }[]
}

export interface Segment {
  readonly worker: string
  readonly message: SegmentMessage
  readonly body: Uint8Array
  /** Whether what this worker says of a run under this fence is to be believed. */
  readonly counts: (run: string, fence: number) => boolean
}

export function draftOf(state: InboxState, host: string, { worker, message, body, counts }: Segment): Draft {
  const runs = new Map<string, KnownRun>()
  const fresh: JournalEntry[] = []
  const writes: { file: string; offset: number; end: number; parts: Uint8Array[] }[] = []

  const find = (run: string) => runs.get(run) ?? state.runs[run]
  const isOver = (run: string) => isTerminal(find(run)?.run?.state ?? 'queued')
  const isOf = (known: KnownRun | undefined, fence: number) => known?.worker === worker && known.fence === fence

  /** The run as it is known, begun anew when another worker has taken it over. */
  function edit(run: string, fence: number): KnownRun {
    const former = find(run)
    const edited = former && isOf(former, fence) ? { ...former, output: { ...former.output } } : begunAnew(run, fence, former)
    runs.set(run, edited)
    return edited
  }

  function begunAnew(run: string, fence: number, former: KnownRun | undefined): KnownRun {
    return {
      worker,
      fence,
      seq: 0,
      run: former?.run ?? null,
      lastPosition: former?.lastPosition ?? 0,
      output: { file: `${run}~${fence}~${worker.slice(0, 8)}`, bytes: 0, whole: false },
      copied: former?.copied ?? null,
      readWhole: false,
      cleaned: false,
    }
  }

  function foldEvents(): void {
    for (const { run, fence, event } of message.events) {
      if (isOver(run) || !counts(run, fence)) continue
      // What follows a beginning that was never told makes no run.
      if (!find(run)?.run && event.type !== 'accepted') continue
      const known = edit(run, fence)
      if (event.seq <= known.seq) continue
      known.seq = event.seq
      try {
        const numbered = { ...event, seq: (known.run?.lastEvent ?? 0) + 1 }
        known.run = applyEvent(known.run ?? undefined, { host, run }, numbered)
        known.lastPosition = state.nextPosition + fresh.length
        fresh.push({ position: known.lastPosition, run, event: numbered })
      } catch (error) {
        // What a run that was taken over goes through again has been told already.
        if (!hasCode(error, 'run.transition')) throw error
      }
    }
  }

  /** What goes on where the write before it in the same file ends is one with it: what takes time is that each is durable. */
  function write(file: string, offset: number, piece: Uint8Array): void {
    if (piece.byteLength === 0) return
    const end = offset + piece.byteLength
    const former = writes.findLast((one) => one.file === file)
    if (former?.end !== offset) return void writes.push({ file, offset, end, parts: [piece] })
    former.parts.push(piece)
    former.end = end
  }

  function addOutput(): void {
    let at = 0
    for (const { run, fence, bytes, whole } of message.outputs) {
      const piece = body.subarray(at, at + bytes)
      at += bytes
      if ((isOver(run) && !isOf(find(run), fence)) || !counts(run, fence)) continue
      const { output } = edit(run, fence)
      if (output.whole) continue
      write(output.file, output.bytes, piece)
      output.bytes += piece.byteLength
      output.whole = whole
    }
  }

  /** They lie behind the output, which may say that it is whole: then they are. */
  function addArtifacts(): void {
    let at = message.outputs.reduce((sum, { bytes }) => sum + bytes, 0)
    for (const { run, fence, bytes, sha256, offset } of message.artifacts) {
      const piece = body.subarray(at, at + bytes)
      at += bytes
      const known = find(run)
      if (known && isOf(known, fence) && counts(run, fence)) write(artifactFile(known, sha256), offset, piece)
    }
  }

  foldEvents()
  // A run that this segment begins by its output is no run whose artifacts came before.
  addArtifacts()
  addOutput()
  return { runs, fresh, writes }
}

export const artifactFile = ({ output }: KnownRun, sha256: string): string => `${output.file}~${sha256}`
