// Carries a run by a worker in this process (the `local` manager): workflows, later agents and sessions.
// A worker ends with the node and is called again, with the run's history, when the host reopens.

import { asMusterError, type ErrorValue, failure } from '../contract/errors.ts'
import type { EventBody, RunEvent } from '../contract/event.ts'
import type { OutputStream } from '../contract/output.ts'
import type { Run, RunSpec } from '../contract/run.ts'
import { openAppender } from '../store/output/append.ts'
import { untilStored } from '../store/until-stored.ts'
import type { LiveRun } from './live-run.ts'

export interface Work {
  readonly run: string
  readonly spec: RunSpec
  /** What happened so far; more than `accepted` and `running` when the host was reopened. */
  readonly history: RunEvent[]
  emit(body: EventBody): Promise<void>
  write(stream: OutputStream, text: string): Promise<void>
  /** Aborted when the run is to stop, or the host closes. */
  readonly signal: AbortSignal
}

export interface WorkResult {
  readonly state: 'succeeded' | 'failed' | 'cancelled' | 'timed_out'
  readonly error?: ErrorValue
}

export type Executor = (work: Work) => Promise<WorkResult>
export type Executors = Partial<Record<Run['kind'], Executor>>

/** Resolves when the run has ended, or when the host has closed and the worker has let go: then the run stays as it is. */
export async function carryWork(
  live: LiveRun,
  executor: Executor,
  where: { dir: string; history: RunEvent[]; closing: AbortSignal },
): Promise<void> {
  const output = await openAppender(where.dir)
  const stopping = new AbortController()
  live.onStop(() => stopping.abort(failure('call.cancelled')))
  try {
    await live.began()
    const signal = AbortSignal.any([stopping.signal, where.closing])
    // A full disk holds a worker up and fails nothing of what it does.
    const stored = <T>(work: () => Promise<T>) => untilStored(work, signal)
    const result = await executor({
      run: live.id,
      spec: live.spec,
      history: where.history,
      emit: (body) => stored(() => live.emit(body)),
      write: (stream, text) => stored(() => output.append({ stream, bytes: Buffer.from(text), at: Date.now() })),
      signal,
    }).catch((error: unknown): WorkResult => ({ state: 'failed', error: asMusterError(error).toValue() }))
    if (where.closing.aborted) return
    const { stdout, stderr } = output.position
    await live.end({ ...result, output: { stdout, stderr } })
  } finally {
    await output.close()
  }
}
