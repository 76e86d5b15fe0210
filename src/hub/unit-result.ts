// What a workflow gets of a unit that has ended: its run, and the head of what it wrote. Its host may go away in that very moment, or be
// away while a hub that was restarted takes the workflow up again: it is asked again for as long as a unit may wait for its host.

import type { Caller } from '../contract/caller.ts'
import { asMusterError, failure } from '../contract/errors.ts'
import { readOutput } from '../contract/output.ts'
import { pause } from '../contract/pause.ts'
import { getRun, type Run } from '../contract/run.ts'

/** Enough for the steps that follow. */
const stdoutBytes = 64 * 1024
const againAfterMs = 1_000

export interface EndedUnit {
  readonly caller: Caller
  readonly run: string
  readonly host: string
  readonly signal: AbortSignal
  readonly waitMs: number
}

/** Rejects with the signal's reason, or with `output.late` when its host is away for too long. */
export async function unitResult(unit: EndedUnit): Promise<{ run: Run; stdout: string }> {
  const { run, host, signal, waitMs } = unit
  const late = AbortSignal.timeout(waitMs)
  const within = AbortSignal.any([signal, late])
  for (;;) {
    try {
      return await askOnce(unit, within)
    } catch (error) {
      signal.throwIfAborted()
      if (late.aborted) throw failure('output.late', { run, host }, { cause: error })
      if (!asMusterError(error).retryable) throw error
    }
    await pause(againAfterMs, within)
  }
}

async function askOnce({ caller, run }: EndedUnit, signal: AbortSignal): Promise<{ run: Run; stdout: string }> {
  const ended = await caller.call(getRun, { run }, { signal })
  const bytes: Uint8Array[] = []
  const head = caller.bytes(readOutput, { run, stream: 'stdout', limit: stdoutBytes, follow: true }, { signal })
  for await (const chunk of head) bytes.push(chunk)
  return { run: ended, stdout: Buffer.concat(bytes).toString('utf8') }
}
