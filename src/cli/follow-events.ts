// A run's events as they come, each once, through breaks of the connection, until the run has ended.

import { setTimeout as sleep } from 'node:timers/promises'
import { followEvents, type RunEvent } from '../contract/event.ts'
import { getRun, isTerminal, type Run } from '../contract/run.ts'
import { resuming } from './resume.ts'
import type { RunReading } from './run-output.ts'

const againAfterMs = 200

/** Resolves with the run once it has ended and its last event was handed over. */
export async function eachEvent(
  { terminal, host, run, signal }: RunReading,
  take: (event: RunEvent) => void | Promise<void>,
): Promise<Run> {
  let after = 0
  return await resuming(
    terminal,
    async (progress) => {
      for (;;) {
        for await (const event of host.items(followEvents, { run, after, follow: true }, signal && { signal })) {
          await take(event)
          after = event.seq
          progress()
        }
        const found = await host.call(getRun, { run }, signal && { signal })
        if (isTerminal(found.state) && after >= found.lastEvent) return found
        await sleep(againAfterMs, undefined, signal && { signal })
      }
    },
    signal,
  )
}
