// Says why a log that is followed is silent, where there is a reason that its reader cannot see: its host is away, or the run has ended
// and the rest of its output has not come from there.

import type { Caller } from '../../contract/caller.ts'
import { findRun } from '../../contract/fleet.ts'
import { pause } from '../../contract/pause.ts'
import { isTerminal, type Run } from '../../contract/run.ts'
import { printable } from '../printable.ts'
import type { Terminal } from '../terminal.ts'

/** Longer than a copy that goes on is ever silent on a line that works. */
const patienceMs = 5_000

export interface Silence {
  readonly terminal: Pick<Terminal, 'say'>
  readonly hub: Caller
  readonly run: string
  /** When something last came, by `performance.now()`. */
  readonly heardAt: () => number
}

/** Says each reason once, until `signal` aborts. Never rejects: whoever reads the log hears of a hub that does not answer. */
export async function tellSilence(
  { terminal, hub, run, heardAt }: Silence,
  signal: AbortSignal,
  quietMs = patienceMs,
): Promise<void> {
  let told: string | undefined
  while (!signal.aborted) {
    const leftMs = heardAt() + quietMs - performance.now()
    await pause(leftMs > 0 ? leftMs : quietMs, signal)
    if (signal.aborted || heardAt() + quietMs > performance.now()) continue
    const found = await hub.call(findRun, { run }, { signal }).catch(() => undefined)
    const why = found && reasonOf(found)
    if (why === undefined || why === told) continue
    told = why
    terminal.say(printable(why))
  }
}

function reasonOf({ id, host, state, unreachableSince }: Run): string | undefined {
  const look = `\`muster host show ${host}\` says whether the host can be reached; Ctrl-C leaves.`
  if (isTerminal(state))
    return `Run ${id} has ended, and the rest of its output has not come from ${host} yet: waiting for it. ${look}`
  return unreachableSince === null
    ? undefined
    : `${host} has been away since ${unreachableSince}: waiting for what ${id} writes. ${look}`
}
