// The whole log of a run that has ended. Of a host whose runs are copied, the end may be known before its last output has come:
// it is waited for while more comes, and what is missing is then said instead of passed over.

import type { Caller } from '../../contract/caller.ts'
import { failure } from '../../contract/errors.ts'
import { followLog, type LogChunk } from '../../contract/output.ts'

/** Longer than a copy that goes on is ever silent on a line that works. */
const patienceMs = 5_000

export interface EndedLog {
  readonly host: Caller
  readonly hostName: string
  readonly run: string
  readonly signal: AbortSignal
}

/** Hands over each chunk after a number. Throws `output.late` when the rest does not come. */
export async function readEndedLog(
  { host, hostName, run, signal }: EndedLog,
  after: number,
  take: (chunk: LogChunk) => Promise<void>,
  waitMs = patienceMs,
): Promise<void> {
  const silent = new AbortController()
  let timer: NodeJS.Timeout | undefined
  const wait = () => {
    timer = setTimeout(() => silent.abort(), waitMs)
  }
  wait()
  try {
    const within = AbortSignal.any([signal, silent.signal])
    for await (const chunk of host.items(followLog, { run, after, follow: true }, { signal: within })) {
      // However long the reader takes is no silence of the host's.
      clearTimeout(timer)
      await take(chunk)
      wait()
    }
  } catch (error) {
    if (silent.signal.aborted && !signal.aborted) throw failure('output.late', { run, host: hostName }, { cause: error })
    throw error
  } finally {
    clearTimeout(timer)
  }
}
