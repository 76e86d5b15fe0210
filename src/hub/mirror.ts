// The mirror: the hub's copy of the runs of hosts whose link may be away. Events come in by the journal (follow.ts); output is
// copied here, chunk by chunk, each run resuming after the last chunk that it has, and after its end its artifacts. Readers see only
// the copy.

import { join } from 'node:path'
import type { Logger } from 'pino'
import type { Caller } from '../contract/caller.ts'
import { asMusterError, hasCode } from '../contract/errors.ts'
import { type Implementation, implementation } from '../contract/implementation.ts'
import { feedOutput } from '../contract/output.ts'
import { pause } from '../contract/pause.ts'
import { isTerminal, type Run } from '../contract/run.ts'
import { openAppender } from '../store/output/append.ts'
import { decodeFeed } from '../store/output/record.ts'
import { readingOperations } from '../store/readings.ts'
import { makeRunBells, type RunBells } from '../store/run-bells.ts'
import { closeOutputGap, getRun, outputGaps } from '../store/runs.ts'
import type { Store } from '../store/store.ts'
import { copyArtifacts } from './artifact-copy.ts'
import { batches } from './batches.ts'
import { letGo, makeTurns } from './turns.ts'

const firstAgainMs = 1_000
const lastAgainMs = 30_000
/** Bytes of output that one write to disk takes at most: what a copy holds in memory beside its stream's window. */
const mostInAWrite = 1024 * 1024

export interface Mirror extends AsyncDisposable {
  /** The reading operations of one host, answered from the copy. */
  readings(host: string): Implementation
  /** A link is up: goes on with every run whose output and artifacts are not here whole. */
  resume(host: string, caller: Caller, signal: AbortSignal): void
  /** Resolves once the copy has this run; rejects with the signal's reason. */
  holds(host: string, run: string, signal: AbortSignal): Promise<void>
  /** The copy has new events of a run: wakes its readers, and copies its output, and at its end its artifacts. */
  note(host: string, run: Run, caller: Caller, signal: AbortSignal): void
}

export interface MirrorOf {
  readonly dir: string
  readonly store: Store
  readonly log: Logger
  /** So many runs are copied at once, since each takes three open files; the others wait their turn. */
  readonly copiesAtOnce?: number
}

export function openMirror({ dir, store, log, copiesAtOnce = Infinity }: MirrorOf): Mirror {
  const turns = makeTurns(copiesAtOnce)
  const bells = new Map<string, RunBells>()
  const copying = new Map<string, { signal: AbortSignal; work: Promise<void> }>()
  const bellsOf = (host: string) => {
    const known = bells.get(host) ?? makeRunBells()
    bells.set(host, known)
    return known
  }
  const outputDir = (host: string, run: string) => join(dir, host, run)

  function copy(host: string, run: string, caller: Caller, signal: AbortSignal): void {
    const address = `${host}/${run}`
    const former = copying.get(address)
    if (former?.signal === signal || signal.aborted) return
    // A copy over a link that has ended may still be closing its files: one writer at a time.
    const work = Promise.resolve(former?.work)
      .then(() => copyWhileLinked(host, run, caller, signal))
      .finally(() => {
        if (copying.get(address)?.work === work) copying.delete(address)
      })
    copying.set(address, { signal, work })
  }

  /** A link that ends leaves the gap on record, for the next link; a full disk, say, is tried again over this one. */
  async function copyWhileLinked(host: string, run: string, caller: Caller, signal: AbortSignal): Promise<void> {
    for (let againMs = firstAgainMs; !signal.aborted; ) {
      try {
        const copied = await turns.take((over) => copyRun(host, run, caller, AbortSignal.any([signal, over]), signal), signal)
        if (copied !== letGo) return
      } catch (error) {
        if (signal.aborted) return
        // Asked for over and over it would be the same, and cost as much as it is large: it waits for the next link.
        if (hasCode(error, 'artifact.damaged') || hasCode(error, 'artifact.unknown'))
          return log.error({ host, run, error: error.toValue() }, 'an artifact could not be copied')
        log.warn({ host, run, error: asMusterError(error).toValue() }, 'output could not be copied; trying again')
        await pause(againMs, signal)
        againMs = Math.min(2 * againMs, lastAgainMs)
      }
    }
  }

  async function copyRun(host: string, run: string, caller: Caller, signal: AbortSignal, over: AbortSignal): Promise<void> {
    const appender = await openAppender(outputDir(host, run))
    try {
      const { chunk: after, stdout, stderr } = appender.position
      const feed = caller.bytes(feedOutput, { run, after, stdout, stderr }, { signal })
      for await (const parts of batches(decodeFeed(feed), { most: mostInAWrite, size: ({ bytes }) => bytes.byteLength })) {
        await appender.copy(parts)
        bellsOf(host).of(run).ring()
      }
    } catch (error) {
      // Its host lost power and has numbered its chunks anew: the copy is begun again.
      if (hasCode(error, 'output.changed')) await appender.clear()
      throw error
    } finally {
      await appender.close()
    }
    // The feed may end before the journal, from which the mirror knows what there is.
    await until(host, run, signal, (found) => isTerminal(found.state))
    await copyArtifacts({ store, host, run, dir: outputDir(host, run), caller, signal, over })
    await closeOutputGap(store, host, run)
  }

  /** Resolves once the copy has this run, and it is so. */
  async function until(host: string, run: string, signal: AbortSignal, isSo: (found: Run) => boolean): Promise<void> {
    using bell = bellsOf(host).listen(run)
    for (;;) {
      signal.throwIfAborted()
      const seen = bell.rings
      const found = await getRun(store, host, run)
      if (found && isSo(found)) return
      await bell.after(seen, signal)
    }
  }

  return {
    readings: (host) =>
      implementation(
        ...readingOperations({
          store,
          host,
          bells: bellsOf(host),
          outputDir: (run) => outputDir(host, run),
          watched: false,
        }),
      ),
    resume(host, caller, signal) {
      outputGaps(store, host).then(
        (runs) => {
          for (const run of runs) copy(host, run, caller, signal)
        },
        (error) => log.error({ host, error: asMusterError(error).toValue() }, 'the unfinished copies could not be found'),
      )
    },
    holds: (host, run, signal) => until(host, run, signal, () => true),
    note(host, run, caller, signal) {
      bellsOf(host).ring(run)
      if (run.state === 'running' || isTerminal(run.state)) copy(host, run.id, caller, signal)
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([...copying.values()].map(({ work }) => work))
    },
  }
}
