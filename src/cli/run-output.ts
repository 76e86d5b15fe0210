// Reads what a run writes, from the hub, through breaks of the connection, until the run has ended: as raw bytes of one stream,
// or as chunks of both in their order.

import { setTimeout as sleep } from 'node:timers/promises'
import type { Caller } from '../contract/caller.ts'
import { followLog, type LogChunk, type OutputStream, readOutput } from '../contract/output.ts'
import { getRun, isTerminal, type Run } from '../contract/run.ts'
import { resuming } from './resume.ts'
import type { Sink, Terminal } from './terminal.ts'

export interface RunReading {
  readonly terminal: Pick<Terminal, 'say'>
  /** Asks the run's host. */
  readonly host: Caller
  readonly run: string
  readonly signal?: AbortSignal
}

const againAfterMs = 200

/** Copies one stream to `sink`, at the sink's pace, until the run has ended and every byte of it has been taken. */
export async function copyOutput(reading: RunReading, stream: OutputStream, sink: Sink): Promise<Run> {
  const { terminal, host, run, signal } = reading
  let offset = 0
  return await resuming(
    terminal,
    async (progress) => {
      for (;;) {
        for await (const bytes of host.bytes(readOutput, { run, stream, offset, follow: true }, signal && { signal })) {
          await sink(bytes)
          offset += bytes.length
          progress()
        }
        const ended = await endedRun(reading)
        if (ended && offset >= ended.output[stream]) return ended
        // The answer ended before the run did: its host was away. It is asked again from where it stopped.
        await sleep(againAfterMs, undefined, signal && { signal })
      }
    },
    signal,
  )
}

/** Hands over the chunks after a number, in order; resolves once the run has ended and its last chunk was handed over. */
export async function followChunks(reading: RunReading, after: number, take: (chunk: LogChunk) => Promise<void>): Promise<Run> {
  const { terminal, host, run, signal } = reading
  let last = after
  return await resuming(
    terminal,
    async (progress) => {
      for (;;) {
        for await (const chunk of host.items(followLog, { run, after: last, follow: true }, signal && { signal })) {
          await take(chunk)
          last = chunk.chunk
          progress()
        }
        const ended = await endedRun(reading)
        if (ended) return ended
        await sleep(againAfterMs, undefined, signal && { signal })
      }
    },
    signal,
  )
}

export function chunkBytes({ text, base64 }: LogChunk): Uint8Array {
  return text === undefined ? Buffer.from(base64 ?? '', 'base64') : Buffer.from(text)
}

async function endedRun({ host, run, signal }: RunReading): Promise<Run | undefined> {
  const found = await host.call(getRun, { run }, signal && { signal })
  return isTerminal(found.state) ? found : undefined
}
