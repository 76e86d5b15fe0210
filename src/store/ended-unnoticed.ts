// Runs that a hub's mirror knows to have ended while their jobs do not. Used by the hub when it follows a host (again).

import type { Run, RunState } from '../contract/run.ts'
import { isTerminal, runStates } from '../contract/run.ts'
import type { Store } from './store.ts'

const terminalStates = (Object.keys(runStates) as RunState[]).filter(isTerminal)

export async function endedUnnoticed({ db }: Store, host: string): Promise<Pick<Run, 'id' | 'state' | 'error'>[]> {
  const rows = await db
    .selectFrom('job')
    .innerJoin('run', (join) => join.onRef('run.host', '=', 'job.host').onRef('run.id', '=', 'job.run'))
    .select(['run.id', 'run.state', 'run.error'])
    .where('job.host', '=', host)
    .where('job.state', '<>', 'ended')
    .where('run.state', 'in', terminalStates)
    .execute()
  return rows.map(({ id, state, error }) => ({ id, state: state as RunState, error: error === null ? null : JSON.parse(error) }))
}
