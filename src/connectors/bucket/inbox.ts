// What a hub has taken out of a bucket and its mirror has perhaps not yet: one journal out of those of all workers, and each run's output.
// Kept in the connector's own directory, so that the objects can be deleted at once and a killed hub goes on where it was.
//
// A segment is taken in by writing behind what is recorded (journal, output), then the record (state.json) whole, and only then is it
// so here: a kill or a full disk on the way costs nothing, since the segment is then taken in again over the same places.

import { constants } from 'node:fs'
import { mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { ApprovalChange } from '../../contract/approval.ts'
import { type ErrorValue, failure } from '../../contract/errors.ts'
import { followJournal, type JournalEntry } from '../../contract/event.ts'
import type { NodeEvent } from '../../contract/fleet-event.ts'
import { isTerminal } from '../../contract/run.ts'
import { askedOf, withApprovals } from './asked-of-people.ts'
import { artifactFile, draftOf } from './draft.ts'
import { InboxState, type KnownRun } from './inbox-state.ts'
import { mostNodeEvents, type SegmentMessage } from './messages.ts'
import { untilAborted } from './until-aborted.ts'
import { countChunks } from './whole-chunks.ts'

const readBytes = 1024 * 1024
/** Anybody who may read can say that he has read up to any number. */
const furthest = 2 ** 50

export interface Inbox {
  readonly state: InboxState
  save(): Promise<void>
  /** How far a worker was heard. Asking leaves nothing here: anybody can make up a worker's name. */
  worker(id: string): { readonly next: number; readonly beat: number }
  /** Durable when it resolves. */
  hearBeat(worker: string, count: number): Promise<void>
  /**
   * All of it or nothing. `counts`: whether what this worker says of a run under this fence is to be believed. `refused`: runs that it
   * answers it cannot start.
   */
  takeIn(
    worker: string,
    segment: SegmentMessage,
    body: Uint8Array,
    counts: (run: string, fence: number) => boolean,
    refused?: ReadonlyMap<string, ErrorValue>,
  ): Promise<void>
  /** To whom begins after a number all up to it is stored. Ends, though it follows, when it wants to be told that again. */
  journal(after: number, follow: boolean, signal: AbortSignal): AsyncIterable<JournalEntry>
  nodeEvents(after: number, follow: boolean, signal: AbortSignal): AsyncIterable<NodeEvent>
  /** What workers' hosts ask people, each as it stands. */
  approvals(after: number, follow: boolean, signal: AbortSignal): AsyncIterable<ApprovalChange>
  feed(
    input: { run: string; after: number; stdout?: number | undefined; stderr?: number | undefined },
    signal: AbortSignal,
  ): AsyncIterable<Uint8Array>
  artifact(input: { run: string; name: string; offset: number }): AsyncIterable<Uint8Array>
  /** The journal's reader has all. */
  readonly isRead: boolean
  /** A run that its host refused, and that nobody may begin any more anyway. */
  forgetRefusal(run: string): void
  /** Forgets runs that have been over, stored by the journal's reader, and read whole by somebody who has not come back for them, for so long. */
  forgetOlderThan(ms: number): Promise<void>
}

export async function openInbox(dir: string, host: string): Promise<Inbox> {
  const outputDir = join(dir, 'output')
  await mkdir(outputDir, { recursive: true, mode: 0o700 })
  const stateFile = join(dir, 'state.json')
  const journalFile = join(dir, 'journal.jsonl')
  const state = InboxState.parse(JSON.parse((await readIfThere(stateFile)) ?? '{}'))
  let entries = await readJournal()
  /**
   * How far the journal was read, and how far its reader has stored it, which it says only by the number after which it begins to read.
   * Who stops reading, or hangs, may have stored none of what it was given since.
   */
  let reading = { to: 0, stored: 0, isOver: false }
  let changed = Promise.withResolvers<void>()
  const tellChanged = () => {
    changed.resolve()
    changed = Promise.withResolvers()
  }
  let writing: Promise<unknown> = Promise.resolve()
  const overSinceMs = new Map<string, number>()

  async function readJournal(): Promise<JournalEntry[]> {
    const kept = Buffer.from((await readIfThere(journalFile)) ?? '').subarray(0, state.journalBytes)
    state.journalBytes = kept.byteLength
    return kept
      .toString('utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => followJournal.output.parse(JSON.parse(line)))
  }

  /** One at a time: what is taken in by half is in no record. */
  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = writing.then(work)
    // Whoever asked is told.
    writing = done.catch(() => undefined)
    return done
  }

  const writeState = (next: InboxState) => writeWhole(stateFile, Buffer.from(JSON.stringify(next)))
  let saving: Promise<void> | undefined
  /** Many who ask at once are served by one write. */
  function save(): Promise<void> {
    saving ??= inTurn(() => {
      saving = undefined
      return writeState(state)
    })
    return saving
  }

  const isOver = (known: KnownRun) => isTerminal(known.run?.state ?? 'queued')

  const readOutput = ({ output }: KnownRun, from: number) => readUpTo(join(outputDir, output.file), from, output.bytes)

  async function* readUpTo(path: string, from: number, end: number): AsyncGenerator<Buffer> {
    const file = await open(path)
    try {
      for (let at = from; at < end; ) {
        const length = Math.min(readBytes, end - at)
        const { bytesRead, buffer } = await file.read(Buffer.alloc(length), 0, length, at)
        if (bytesRead === 0) return
        yield buffer.subarray(0, bytesRead)
        at += bytesRead
      }
    } finally {
      await file.close()
    }
  }

  /** Where chunk `after + 1` begins. Throws `output.changed` when the chunks before it are not those that were copied. */
  async function offsetAfter(known: KnownRun, { run, after, stdout, stderr }: Parameters<Inbox['feed']>[0]): Promise<number> {
    if (after === 0) return 0
    const found = { chunks: 0, end: 0, stdout: 0, stderr: 0 }
    if (known.copied === known.output.file) {
      let rest = Buffer.alloc(0)
      for await (const piece of readOutput(known, 0)) {
        rest = Buffer.concat([rest, piece])
        const counted = countChunks(rest, after - found.chunks)
        for (const key of ['chunks', 'end', 'stdout', 'stderr'] as const) found[key] += counted[key]
        rest = rest.subarray(counted.end)
        if (found.chunks === after) break
      }
    }
    const isSame =
      found.chunks === after && (stdout ?? found.stdout) === found.stdout && (stderr ?? found.stderr) === found.stderr
    if (!isSame) throw failure('output.changed', { run })
    return found.end
  }

  /** Whoever reads a run's output holds what is known of it: that stays one object until another worker has taken it over. */
  function adopt(run: string, next: KnownRun): void {
    const known = state.runs[run]
    const { copied, readWhole } = known ?? next
    if (known?.worker === next.worker && known.fence === next.fence) Object.assign(known, next, { copied, readWhole })
    else state.runs[run] = { ...next, copied }
  }

  /** What its reader asks for again it did not get whole, whoever has said so before. */
  async function* notingItsEnd(run: string, known: KnownRun, pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    known.readWhole = false
    overSinceMs.delete(run)
    yield* pieces
    known.readWhole = true
    overSinceMs.delete(run)
    await save()
  }

  async function* output(known: KnownRun, input: Parameters<Inbox['feed']>[0], signal: AbortSignal): AsyncGenerator<Uint8Array> {
    let at = await offsetAfter(known, input)
    if (known.copied !== known.output.file) {
      known.copied = known.output.file
      await save()
    }
    for (;;) {
      const more = changed.promise
      if (state.runs[input.run] !== known) throw failure('output.changed', { run: input.run })
      const { bytes, whole } = known.output
      for await (const piece of bytes > at ? readOutput(known, at) : []) {
        yield piece
        at += piece.byteLength
      }
      if (whole && at >= known.output.bytes) return
      if (at >= known.output.bytes) await untilAborted(more, signal)
    }
  }

  /** For how long nobody has needed a run any more; -1 for one that may yet be needed. */
  function restsForMs(run: string): number {
    const known = state.runs[run]
    const isNeeded = !known?.cleaned || !known.readWhole || !isOver(known) || known.lastPosition > reading.to
    if (isNeeded) {
      overSinceMs.delete(run)
      return -1
    }
    const now = performance.now()
    const sinceMs = overSinceMs.get(run) ?? now
    overSinceMs.set(run, sinceMs)
    return now - sinceMs
  }

  return {
    state,
    save,
    worker: (id) => state.workers[id] ?? { next: 1, beat: 0 },
    hearBeat(worker, count) {
      state.workers[worker] = { next: state.workers[worker]?.next ?? 1, beat: count }
      return save()
    },
    takeIn: (worker, message, body, counts, refused = new Map()) =>
      inTurn(async () => {
        const draft = draftOf(state, host, { worker, message, body, counts })
        const lines = linesOf(draft.fresh)
        // Each file once, and side by side: what takes time is that each is durable.
        await Promise.all([
          ...draft.writes.map(({ file, offset, parts }) => writeAt(join(outputDir, file), offset, Buffer.concat(parts))),
          writeAt(journalFile, state.journalBytes, lines),
        ])
        const change = {
          nextPosition: state.nextPosition + draft.fresh.length,
          journalBytes: state.journalBytes + lines.byteLength,
          ...withNodeEvents(state, message.nodeEvents),
          ...withApprovals(state, worker, message.approvals, Date.now()),
        }
        const heard = { next: message.number + 1, beat: state.workers[worker]?.beat ?? 0 }
        await writeState({
          ...state,
          ...change,
          workers: { ...state.workers, [worker]: heard },
          refused: { ...state.refused, ...Object.fromEntries(refused) },
          runs: { ...state.runs, ...Object.fromEntries(draft.runs) },
        })
        Object.assign(state, change)
        state.workers[worker] = heard
        for (const [run, error] of refused) state.refused[run] = error
        for (const [run, known] of draft.runs) adopt(run, known)
        entries.push(...draft.fresh)
        tellChanged()
      }),
    async *journal(after, follow, signal) {
      // A mirror that has more than this journal had another one before: what comes is numbered behind it.
      await inTurn(async () => {
        state.nextPosition = Math.max(state.nextPosition, after + 1)
      })
      const own = { to: after, stored: after, isOver: false }
      reading = own
      try {
        for (;;) {
          const more = changed.promise
          for (const entry of entries.filter(({ position }) => position > own.to)) {
            yield entry
            own.to = entry.position
          }
          if (!follow || own.isOver) return
          await untilAborted(more, signal)
        }
      } finally {
        own.to = Math.min(own.to, after)
      }
    },
    async *nodeEvents(after, follow, signal) {
      await inTurn(async () => {
        state.nextNodeEvent = Math.max(state.nextNodeEvent, Math.min(after, furthest) + 1)
      })
      let last = after
      for (;;) {
        const more = changed.promise
        for (const event of state.nodeEvents.filter(({ position }) => position > last)) {
          if (event.position > last + 1) yield gapBefore(event, last)
          yield event
          last = event.position
        }
        if (!follow) return
        await untilAborted(more, signal)
      }
    },
    async *approvals(after, follow, signal) {
      let last = after
      for (;;) {
        const more = changed.promise
        for (const change of askedOf(state, last, Date.now())) {
          yield change
          last = change.position
        }
        if (!follow) return
        await untilAborted(more, signal)
      }
    },
    async *feed(input, signal) {
      const known = state.runs[input.run]
      if (!known) throw failure('run.unknown', { run: input.run })
      yield* notingItsEnd(input.run, known, output(known, input, signal))
    },
    async *artifact({ run, name, offset }) {
      const told = entries.findLast(
        (entry) => entry.run === run && entry.event.type === 'artifact.kept' && entry.event.name === name,
      )
      const known = state.runs[run]
      if (told?.event.type !== 'artifact.kept' || !known) throw failure('artifact.unknown', { run, name })
      const { sha256, bytes } = told.event
      if (bytes > offset) yield* notingItsEnd(run, known, readUpTo(join(outputDir, artifactFile(known, sha256)), offset, bytes))
    },
    get isRead() {
      return reading.to >= (entries.at(-1)?.position ?? 0)
    },
    forgetRefusal(run) {
      if (!(run in state.refused)) return
      delete state.refused[run]
      delete state.specs[run]
    },
    forgetOlderThan: (ms) =>
      inTurn(async () => {
        const resting = Object.entries(state.runs).filter(([run]) => restsForMs(run) >= ms)
        const isStored = ({ lastPosition }: KnownRun) => lastPosition <= reading.stored
        const gone = new Set(resting.filter(([, known]) => isStored(known)).map(([run]) => run))
        if (gone.size < resting.length && !reading.isOver) {
          // Its reader begins anew, and says then what it has stored. One that hangs does not come.
          reading.isOver = true
          tellChanged()
        }
        if (gone.size === 0) return
        const kept = <T>(record: Record<string, T>) =>
          Object.fromEntries(Object.entries(record).filter(([run]) => !gone.has(run)))
        const rest = entries.filter(({ run }) => !gone.has(run))
        const lines = linesOf(rest)
        await writeWhole(journalFile, lines)
        entries = rest
        state.journalBytes = lines.byteLength
        await writeState({ ...state, runs: kept(state.runs), specs: kept(state.specs) })
        for (const run of gone) {
          delete state.runs[run]
          delete state.specs[run]
          overSinceMs.delete(run)
        }
        for (const name of await readdir(outputDir))
          if (gone.has(name.split('~')[0] as string)) await rm(join(outputDir, name), { force: true })
      }),
  }
}

function withNodeEvents(
  { nodeEvents, nextNodeEvent }: InboxState,
  told: readonly NodeEvent[],
): Pick<InboxState, 'nodeEvents' | 'nextNodeEvent'> {
  const fresh = told.map((event, index) => ({ ...event, position: nextNodeEvent + index }))
  return { nodeEvents: [...nodeEvents, ...fresh].slice(-mostNodeEvents), nextNodeEvent: nextNodeEvent + fresh.length }
}

function gapBefore({ position, at }: NodeEvent, after: number): NodeEvent {
  const through = position - 1
  return { position: through, at, topic: 'node.gap', data: { after, through } }
}

function linesOf(entries: readonly JournalEntry[]): Buffer {
  return Buffer.from(entries.map((entry) => `${JSON.stringify(entry)}\n`).join(''))
}

async function readIfThere(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

/** A crash leaves the old file or the new one. */
async function writeWhole(file: string, bytes: Uint8Array): Promise<void> {
  await writeAt(`${file}.new`, 0, bytes, constants.O_TRUNC)
  await rename(`${file}.new`, file)
}

/** Durable when it resolves. */
async function writeAt(file: string, offset: number, bytes: Uint8Array, flags = 0): Promise<void> {
  if (bytes.byteLength === 0 && flags === 0) return
  const handle = await open(file, constants.O_WRONLY | constants.O_CREAT | flags, 0o600)
  try {
    // A disk that is nearly full takes a part of it, and says no only to the next.
    for (let at = 0; at < bytes.byteLength; )
      at += (await handle.write(bytes, at, bytes.byteLength - at, offset + at)).bytesWritten
    await handle.sync()
  } finally {
    await handle.close()
  }
}
