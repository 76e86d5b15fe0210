// What somebody asked for and has not ended: runs, without the units that belong to a workflow among them.

import { listFleetRuns } from '../../contract/fleet.ts'
import { isTerminal, type Run, type RunState, runStates } from '../../contract/run.ts'
import type { HubClient } from '../../sdk/client.ts'

const deadlineMs = 2_000
const limit = 1000
const states = (Object.keys(runStates) as RunState[]).filter((state) => !isTerminal(state))

/** Newest first. */
export async function liveRuns(client: HubClient): Promise<Run[]> {
  const { runs } = await client.hub.call(listFleetRuns, { states, limit, deadlineMs }, { timeoutMs: deadlineMs })
  return runs.filter(({ parent }) => parent === null)
}
