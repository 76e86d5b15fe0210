// Said when `muster up` is left: runs do not end with it.

import { listFleetRuns } from '../../contract/fleet.ts'
import { isTerminal, type RunState, runStates } from '../../contract/run.ts'
import type { HubClient } from '../../sdk/client.ts'
import type { Terminal } from '../terminal.ts'

const deadlineMs = 2_000
const liveStates = (Object.keys(runStates) as RunState[]).filter((state) => !isTerminal(state))

export async function sayWhatGoesOn(terminal: Terminal, client: HubClient): Promise<void> {
  terminal.say('')
  try {
    const { runs } = await client.hub.call(listFleetRuns, { states: liveStates, deadlineMs }, { timeoutMs: deadlineMs })
    if (runs.length > 0) {
      terminal.say(
        `${runs.length === 1 ? '1 run goes' : `${runs.length} runs go`} on; the next \`muster up\` shows them: ${runs.map(({ id }) => id).join(', ')}.`,
      )
    }
  } catch {
    terminal.say('Runs that have not ended go on; the next `muster up` shows them.')
  }
  terminal.say('Stopping the second host and the hub.')
}
