// The reading operations of the contract over a store and its output files: what a host answers about its own runs, and a hub
// about the runs that it mirrors. Readers that follow sleep on a bell (or on the files, which another process writes) and then
// look again.

import { isUtf8 } from 'node:buffer'
import { failure } from '../contract/errors.ts'
import { followEvents, followJournal } from '../contract/event.ts'
import { type Bound, implement } from '../contract/implementation.ts'
import { feedOutput, followLog, type LogChunk, readOutput } from '../contract/output.ts'
import { getRun as getRunOperation, isTerminal, listRuns as listRunsOperation, type Run } from '../contract/run.ts'
import { artifactReadings } from './artifact-readings.ts'
import { outputSizes } from './output/files.ts'
import { type OutputProgress, readBytes, readChunks } from './output/read.ts'
import { type Chunk, encodeRecord } from './output/record.ts'
import { watchOutput } from './output/watch.ts'
import type { RunBells } from './run-bells.ts'
import { getRun, listRuns, readEvents, readJournal } from './runs.ts'
import type { Store } from './store.ts'

export interface Readings {
  readonly store: Store
  /** Under which id the runs are kept: `local` for a host's own. */
  readonly host: string
  readonly bells: RunBells
  readonly outputDir: (run: string) => string
  /** Another process writes the output, so that no bell rings for it: the files are watched. */
  readonly watched: boolean
}

const pageSize = 500

export function readingOperations(readings: Readings): Bound[] {
  return [
    implement(getRunOperation, async ({ run }) => withOutputSoFar(readings, await requireRun(readings, run))),
    implement(listRunsOperation, async (filter) => {
      const { runs, next } = await listRuns(readings.store, { host: readings.host, ...filter })
      return { runs: await Promise.all(runs.map((run) => withOutputSoFar(readings, run))), next }
    }),
    implement(followEvents, (from, { signal }) => events(readings, from, signal)),
    implement(followJournal, (from, { signal }) => journal(readings, from, signal)),
    implement(readOutput, async function* ({ run, stream, ...from }, { signal }) {
      await using progress = await followProgress(readings, run)
      yield* readBytes(readings.outputDir(run), stream, { ...from, progress, signal })
    }),
    implement(followLog, async function* ({ run, ...from }, { signal }) {
      await using progress = await followProgress(readings, run)
      yield* logChunks(readChunks(readings.outputDir(run), { ...from, progress, signal }))
    }),
    implement(feedOutput, async function* ({ run, after, stdout, stderr }, { signal }) {
      await using progress = await followProgress(readings, run)
      const from = { after, had: { stdout, stderr }, follow: true, progress, signal }
      for await (const chunk of readChunks(readings.outputDir(run), from)) {
        yield encodeRecord(chunk)
        yield chunk.bytes
      }
    }),
    ...artifactReadings(readings),
  ]
}

async function requireRun({ store, host }: Readings, run: string): Promise<Run> {
  const found = await getRun(store, host, run)
  if (!found) throw failure('run.unknown', { run })
  return found
}

/** The row knows the sizes once the run has ended; until then the files do. */
async function withOutputSoFar({ outputDir }: Readings, run: Run): Promise<Run> {
  return isTerminal(run.state) ? run : { ...run, output: await outputSizes(outputDir(run.id)) }
}

async function* events(
  readings: Readings,
  { run, after, follow }: { run: string; after: number; follow: boolean },
  signal: AbortSignal,
) {
  const { store, host, bells } = readings
  let position = after
  using bell = bells.listen(run)
  for (;;) {
    const seen = bell.rings
    // Asked before the events: once it has ended, the events that follow are all.
    const { state } = await requireRun(readings, run)
    const page = await readEvents(store, host, run, position, pageSize)
    for (const event of page) {
      yield event
      position = event.seq
    }
    if (page.length === pageSize) continue
    if (!follow || isTerminal(state)) return
    await bell.after(seen, signal)
    signal.throwIfAborted()
  }
}

async function* journal(
  { store, host, bells }: Readings,
  { after, follow }: { after: number; follow: boolean },
  signal: AbortSignal,
) {
  let position = after
  for (;;) {
    const seen = bells.journal.rings
    const page = await readJournal(store, host, position, pageSize)
    for (const entry of page) {
      yield entry
      position = entry.position
    }
    if (page.length === pageSize) continue
    if (!follow) return
    await bells.journal.after(seen, signal)
    signal.throwIfAborted()
  }
}

/** How a run's output comes along: by its files, until its row says that it has ended and how long the streams are. */
async function followProgress(readings: Readings, run: string): Promise<OutputProgress & AsyncDisposable> {
  await using opened = new AsyncDisposableStack()
  const bell = opened.use(readings.bells.listen(run))
  // Counted before each look, so that what rings between the look and the wait is not slept through.
  let seen = bell.rings
  let now = await requireRun(readings, run)
  const watching = !readings.watched || isTerminal(now.state) ? undefined : opened.use(watchOutput(readings.outputDir(run)))
  const parts = opened.move()
  return {
    finalSize: (stream) => (isTerminal(now.state) ? now.output[stream] : undefined),
    async changed(signal) {
      const woken = new AbortController()
      const wait = AbortSignal.any([signal, woken.signal])
      await Promise.race([bell.after(seen, wait), ...(watching ? [watching.changed(wait)] : [])])
      woken.abort()
      seen = bell.rings
      if (!isTerminal(now.state)) now = await requireRun(readings, run)
    },
    [Symbol.asyncDispose]: () => parts.disposeAsync(),
  }
}

/** Written by hand and not as a generator, which would keep a chunk's bytes beside its text for as long as the reader is behind. */
function logChunks(source: AsyncGenerator<Chunk & { chunk: number }>): AsyncIterable<LogChunk> {
  const reader: AsyncIterator<LogChunk> = {
    async next() {
      const { done, value } = await source.next()
      return done ? { done, value: undefined } : { done: false, value: logChunk(value) }
    },
    async return() {
      await source.return(undefined)
      return { done: true, value: undefined }
    },
  }
  return { [Symbol.asyncIterator]: () => reader }
}

function logChunk({ chunk, at, stream, offset, bytes }: Chunk & { chunk: number }): LogChunk {
  const place = { chunk, at: new Date(at).toISOString(), stream, offset }
  // In JSON each NUL takes six bytes: a chunk of them would be larger than a slow reader may cost.
  return isUtf8(bytes) && !bytes.includes(0)
    ? { ...place, text: Buffer.from(bytes).toString('utf8') }
    : { ...place, base64: Buffer.from(bytes).toString('base64') }
}
