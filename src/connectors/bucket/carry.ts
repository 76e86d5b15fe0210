// One run that this worker holds: started on its host, and told of until its end. Begun again after a kill, it goes on where the last
// segment ended.

import { listArtifacts, readArtifact } from '../../contract/artifact.ts'
import type { Caller } from '../../contract/caller.ts'
import { asMusterError } from '../../contract/errors.ts'
import { followEvents } from '../../contract/event.ts'
import { feedOutput } from '../../contract/output.ts'
import { isTerminal, startRun } from '../../contract/run.ts'
import { jobKey } from './keys.ts'
import type { News } from './news.ts'
import { wholeChunks } from './whole-chunks.ts'

export interface Carried {
  readonly run: string
  readonly fence: number
  /** What run.start takes; undefined when the host knows the run already. */
  readonly input: unknown
  /** Told once the host knows the run. */
  readonly begun: () => void
}

/**
 * Resolves true when the run has ended and all of it is told, false when it could not be started, which is answered. Rejects with a
 * retryable error when it is worth another attempt, and with the signal's reason.
 */
export async function carryRun(
  { run, fence, input, begun }: Carried,
  host: Caller,
  news: News,
  signal: AbortSignal,
): Promise<boolean> {
  const claimed = { run, fence }
  if (input !== undefined) {
    try {
      await host.call(startRun, input as never, { signal })
    } catch (error) {
      const known = asMusterError(error)
      if (signal.aborted || known.retryable || known.code === 'host.stopped') throw error
      news.answer({ to: jobKey(run), error: known.toValue() })
      return false
    }
  }
  begun()
  await Promise.all([tellEvents(claimed, host, news, signal), tellOutput(claimed, host, news, signal)])
  return true
}

async function tellEvents(claimed: { run: string; fence: number }, host: Caller, news: News, signal: AbortSignal): Promise<void> {
  const { run } = claimed
  const events = host.items(followEvents, { run, after: news.toldOf(run).seq, follow: true }, { signal })
  for await (const event of events) {
    await news.event(claimed, event)
    if (event.type === 'state' && isTerminal(event.state)) return
  }
}

async function tellOutput(claimed: { run: string; fence: number }, host: Caller, news: News, signal: AbortSignal): Promise<void> {
  const { run } = claimed
  let after = news.toldOf(run).chunks
  for await (const { chunks, bytes } of wholeChunks(host.bytes(feedOutput, { run, after }, { signal }))) {
    await news.output(claimed, { after, chunks, bytes })
    after += chunks
  }
  await tellArtifacts(claimed, host, news, signal)
  news.outputIsWhole(claimed, after)
}

/** After its end, by which they are kept: a feed goes on until then. Bytes that were told before are passed over. */
async function tellArtifacts(
  claimed: { run: string; fence: number },
  host: Caller,
  news: News,
  signal: AbortSignal,
): Promise<void> {
  const { run } = claimed
  const told = news.toldOf(run).artifactBytes
  let before = 0
  const { artifacts } = await host.call(listArtifacts, { run }, { signal })
  for (const { name, sha256, bytes: size } of artifacts) {
    let offset = Math.min(size, Math.max(0, told - before))
    if (offset < size) {
      for await (const bytes of host.bytes(readArtifact, { run, name, offset }, { signal })) {
        await news.artifact(claimed, { sha256, offset, after: before + offset }, bytes)
        offset += bytes.byteLength
      }
    }
    before += size
  }
}
