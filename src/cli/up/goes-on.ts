// Said when `muster up` is left: runs do not end with it.

import type { Run } from '../../contract/run.ts'
import type { HubClient } from '../../sdk/client.ts'
import type { Terminal } from '../terminal.ts'
import { liveRuns } from './live-runs.ts'

const mostNamed = 3

export async function sayWhatGoesOn(terminal: Terminal, client: HubClient): Promise<void> {
  terminal.say('')
  try {
    const runs = await liveRuns(client)
    if (runs.length > 0) terminal.say(describe(runs))
  } catch {
    terminal.say('Runs that have not ended go on; after the next `muster up`, `muster run list` shows them.')
  }
  terminal.say('Stopping the second host and the hub.')
}

function describe(runs: readonly Run[]): string {
  const [howMany, them] = runs.length === 1 ? ['1 run goes', 'it'] : [`${runs.length} runs go`, 'them']
  const named = runs.slice(0, mostNamed).map(({ id }) => id)
  const more = runs.length > mostNamed ? ` and ${runs.length - mostNamed} more` : ''
  return `${howMany} on; after the next \`muster up\`, \`muster run list\` shows ${them}: ${named.join(', ')}${more}.`
}
