// Says that a run does not begin, and why: its host is away and it was queued, or is there and does not take it (its disk is
// full, say). A run that begins, as nearly all do, costs one question.

import { setTimeout as sleep } from 'node:timers/promises'
import type { Caller } from '../../contract/caller.ts'
import { getRun } from '../../contract/run.ts'
import { printable } from '../printable.ts'
import type { Terminal } from '../terminal.ts'

const lookAfterMs = 1_500

export interface Waiting {
  readonly terminal: Pick<Terminal, 'say'>
  /** Asks the run's host, of that name. */
  readonly host: Caller
  readonly hostName: string
  readonly run: string
}

/** Says each reason once, until the run has begun or `signal` aborts. Never rejects: whoever reads the output hears of failures. */
export async function tellWaiting({ terminal, host, hostName, run }: Waiting, signal: AbortSignal): Promise<void> {
  let told: string | undefined
  try {
    for (;;) {
      await sleep(lookAfterMs, undefined, { signal })
      const { state, error } = await host.call(getRun, { run }, { signal })
      if (state !== 'queued' && state !== 'claimed') return
      const why = error?.code ?? 'not yet'
      if (why === told) continue
      told = why
      terminal.say(printable(`${hostName} ${error ? `does not take ${run} now: ${error.message}` : `has not taken ${run} yet.`}`))
      const wayOut = `It waits and is started when it can be; \`muster run cancel ${run}\` gives it up.`
      terminal.say(printable(error ? `${wayOut} ${error.hint}` : wayOut))
    }
  } catch {
    return
  }
}
