// What a hub has taken out of a bucket and its mirror has perhaps not yet: one journal out of those of all workers, and each run's output.
// Kept in the connector's own directory, so that the objects can be deleted at once and a killed hub goes on where it was.
//
// A segment is taken in by writing behind what is recorded (journal, output), then the record (state.json) whole: a kill between the
// two costs nothing, since the segment is then taken in again over the same places.

import { constants } from 'node:fs'
import { mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { failure, hasCode } from '../../contract/errors.ts'
import { applyEvent, followJournal, type JournalEntry } from '../../contract/event.ts'
import { ErrorValue, isTerminal, Run } from '../../contract/run.ts'
import type { SegmentMessage } from './messages.ts'
import { untilAborted } from './until-aborted.ts'
import { countChunks } from './whole-chunks.ts'

const readBytes = 1024 * 1024

const KnownRun = z.object({
  worker: z.string(),
  fence: z.int(),
  /** The last event that this worker has told of; after a takeover it counts otherwise than the run does. */
  seq: z.int(),
  run: Run.nullable(),
  lastPosition: z.int(),
  output: z.object({ file: z.string(), bytes: z.int(), whole: z.boolean() }),
  /** The file of which a copy was begun. */
  copied: z.string().nullable(),
  cleaned: z.boolean(),
})
export type KnownRun = z.output<typeof KnownRun>

const State = z.object({
  nextPosition: z.int().default(1),
  journalBytes: z.int().default(0),
  /** The time of the newest ask, so that the next one's id is higher whatever the clock says. */
  askedAtMs: z.int().default(0),
  doneVersion: z.int().default(0),
  done: z.record(z.string(), z.int()).default({}),
  /** Of each run that was asked for, what it is to be, as a digest. */
  specs: z.record(z.string(), z.string()).default({}),
  refused: z.record(z.string(), ErrorValue).default({}),
  workers: z.record(z.string(), z.object({ next: z.int(), beat: z.int() })).default({}),
  runs: z.record(z.string(), KnownRun).default({}),
})
type State = z.output<typeof State>

export interface Inbox {
  readonly state: State
  save(): Promise<void>
  worker(id: string): { next: number; beat: number }
  /** `counts`: whether what this worker says of a run under this fence is to be believed. */
  takeIn(
    worker: string,
    segment: SegmentMessage,
    body: Uint8Array,
    counts: (run: string, fence: number) => boolean,
  ): Promise<void>
  journal(after: number, follow: boolean, signal: AbortSignal): AsyncIterable<JournalEntry>
  feed(
    input: { run: string; after: number; stdout?: number | undefined; stderr?: number | undefined },
    signal: AbortSignal,
  ): AsyncIterable<Uint8Array>
  artifact(input: { run: string; name: string; offset: number }): AsyncIterable<Uint8Array>
  /** The journal's reader has all. */
  readonly isRead: boolean
  /** A run that its host refused, and that nobody may begin any more anyway. */
  forgetRefusal(run: string): void
  /** Forgets runs that have been over and copied for so long. */
  forgetOlderThan(ms: number): Promise<void>
}

export async function openInbox(dir: string, host: string): Promise<Inbox> {
  const outputDir = join(dir, 'output')
  await mkdir(outputDir, { recursive: true, mode: 0o700 })
  const stateFile = join(dir, 'state.json')
  const journalFile = join(dir, 'journal.jsonl')
  const state = State.parse(JSON.parse((await readIfThere(stateFile)) ?? '{}'))
  let entries = await readJournal()
  let readTo = 0
  let changed = Promise.withResolvers<void>()
  let saving: Promise<void> = Promise.resolve()
  const overSince = new Map<string, number>()

  async function readJournal(): Promise<JournalEntry[]> {
    const kept = Buffer.from((await readIfThere(journalFile)) ?? '').subarray(0, state.journalBytes)
    state.journalBytes = kept.byteLength
    return kept
      .toString('utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => followJournal.output.parse(JSON.parse(line)))
  }

  function save(): Promise<void> {
    const write = async () => {
      await writeAt(`${stateFile}.new`, 0, Buffer.from(JSON.stringify(state)), true)
      await rename(`${stateFile}.new`, stateFile)
    }
    saving = saving.then(write, write)
    return saving
  }

  /** The run as it is known, begun anew when another worker has taken it over. */
  function knownRun(run: string, worker: string, fence: number): KnownRun {
    const former = state.runs[run]
    if (former?.worker === worker && former.fence === fence) return former
    const output = { file: `${run}~${fence}~${worker.slice(0, 8)}`, bytes: 0, whole: false }
    const known = {
      worker,
      fence,
      seq: 0,
      run: former?.run ?? null,
      lastPosition: former?.lastPosition ?? 0,
      output,
      copied: former?.copied ?? null,
      cleaned: false,
    }
    state.runs[run] = known
    return known
  }

  const artifactFile = (run: string, sha256: string) => join(outputDir, `${state.runs[run]?.output.file}~${sha256}`)
  const isOver = (run: string) => isTerminal(state.runs[run]?.run?.state ?? 'queued')
  const isOf = (run: string, worker: string, fence: number) =>
    state.runs[run]?.worker === worker && state.runs[run]?.fence === fence

  function foldEvents(worker: string, segment: SegmentMessage, counts: (run: string, fence: number) => boolean): JournalEntry[] {
    const fresh: JournalEntry[] = []
    for (const { run, fence, event } of segment.events) {
      if (isOver(run) || !counts(run, fence)) continue
      const known = knownRun(run, worker, fence)
      if (event.seq <= known.seq) continue
      known.seq = event.seq
      try {
        const numbered = { ...event, seq: (known.run?.lastEvent ?? 0) + 1 }
        known.run = applyEvent(known.run ?? undefined, { host, run }, numbered)
        known.lastPosition = state.nextPosition++
        fresh.push({ position: known.lastPosition, run, event: numbered })
      } catch (error) {
        // What a run that was taken over goes through again has been told already.
        if (!hasCode(error, 'run.transition')) throw error
      }
    }
    return fresh
  }

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

  return {
    state,
    save,
    worker(id) {
      state.workers[id] ??= { next: 1, beat: 0 }
      return state.workers[id]
    },
    async takeIn(worker, segment, body, counts) {
      const fresh = foldEvents(worker, segment, counts)
      let at = segment.outputs.reduce((sum, { bytes }) => sum + bytes, 0)
      // They lie behind the output, which may say that it is whole: then they are.
      for (const { run, fence, bytes, sha256, offset } of segment.artifacts) {
        const piece = body.subarray(at, at + bytes)
        at += bytes
        if (isOf(run, worker, fence) && counts(run, fence)) await writeAt(artifactFile(run, sha256), offset, piece)
      }
      at = 0
      const come = new Map<KnownRun['output'], { parts: Uint8Array[]; whole: boolean }>()
      for (const { run, fence, bytes, whole } of segment.outputs) {
        const piece = body.subarray(at, at + bytes)
        at += bytes
        if ((isOver(run) && !isOf(run, worker, fence)) || !counts(run, fence)) continue
        const { output } = knownRun(run, worker, fence)
        const more = come.get(output) ?? { parts: [], whole: output.whole }
        if (more.whole) continue
        come.set(output, { parts: [...more.parts, piece], whole })
      }
      // Each file once, and side by side: what takes time is that each is durable.
      const written = [...come].map(async ([output, { parts, whole }]) => {
        const piece = Buffer.concat(parts)
        if (piece.byteLength > 0) await writeAt(join(outputDir, output.file), output.bytes, piece)
        output.bytes += piece.byteLength
        output.whole = whole
      })
      await Promise.all(written)
      const lines = Buffer.from(fresh.map((entry) => `${JSON.stringify(entry)}\n`).join(''))
      if (lines.byteLength > 0) await writeAt(journalFile, state.journalBytes, lines)
      state.journalBytes += lines.byteLength
      state.workers[worker] = { next: segment.number + 1, beat: state.workers[worker]?.beat ?? 0 }
      await save()
      entries.push(...fresh)
      changed.resolve()
      changed = Promise.withResolvers()
    },
    async *journal(after, follow, signal) {
      // A mirror that has more than this journal had another one before: what comes is numbered behind it.
      if (after >= state.nextPosition) state.nextPosition = after + 1
      readTo = after
      for (;;) {
        const more = changed.promise
        for (const entry of entries.filter(({ position }) => position > readTo)) {
          yield entry
          readTo = entry.position
        }
        if (!follow) return
        await untilAborted(more, signal)
      }
    },
    async *feed(input, signal) {
      const known = state.runs[input.run]
      if (!known) throw failure('run.unknown', { run: input.run })
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
    },
    async *artifact({ run, name, offset }) {
      const told = entries.findLast(
        (entry) => entry.run === run && entry.event.type === 'artifact.kept' && entry.event.name === name,
      )
      if (told?.event.type !== 'artifact.kept') throw failure('artifact.unknown', { run, name })
      const { sha256, bytes } = told.event
      if (bytes > offset) yield* readUpTo(artifactFile(run, sha256), offset, bytes)
    },
    get isRead() {
      return readTo >= (entries.at(-1)?.position ?? 0)
    },
    forgetRefusal(run) {
      if (!(run in state.refused)) return
      delete state.refused[run]
      delete state.specs[run]
    },
    async forgetOlderThan(ms) {
      const old: string[] = []
      for (const [run, known] of Object.entries(state.runs)) {
        if (!known.cleaned || !isOver(run) || known.lastPosition > readTo) continue
        const since = overSince.get(run) ?? Date.now()
        overSince.set(run, since)
        if (Date.now() - since >= ms) old.push(run)
      }
      if (old.length === 0) return
      const gone = new Set(old)
      for (const run of old) {
        delete state.runs[run]
        delete state.specs[run]
        overSince.delete(run)
      }
      entries = entries.filter(({ run }) => !gone.has(run))
      const lines = Buffer.from(entries.map((entry) => `${JSON.stringify(entry)}\n`).join(''))
      state.journalBytes = lines.byteLength
      await writeAt(`${journalFile}.new`, 0, lines, true)
      await rename(`${journalFile}.new`, journalFile)
      await save()
      for (const name of await readdir(outputDir))
        if (gone.has(name.split('~')[0] as string)) await rm(join(outputDir, name), { force: true })
    },
  }
}

async function readIfThere(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

/** Durable when it resolves. */
async function writeAt(file: string, offset: number, bytes: Uint8Array, whole = false): Promise<void> {
  const handle = await open(file, constants.O_WRONLY | constants.O_CREAT | (whole ? constants.O_TRUNC : 0), 0o600)
  try {
    await handle.write(bytes, 0, bytes.byteLength, offset)
    await handle.sync()
  } finally {
    await handle.close()
  }
}
