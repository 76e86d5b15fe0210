// Runs that a hub's mirror knows to have ended while their jobs do not. Used by the hub when it follows a host (again).

import type { Run, RunState } from '../contract/run.ts'
import type { Store } from './store.ts'

/** Databases limit how many values a query may have. */
const runsInAQuery = 500

/** Goes from the few jobs to their runs: the other way leads through every run that ever ended. */
export async function endedUnnoticed({ db }: Store, host: string): Promise<Pick<Run, 'id' | 'state' | 'error'>[]> {
  const unfinished = await db
    .selectFrom('job')
    .select('run')
    .where('ended_at', 'is', null)
    .where('host', '=', host)
    .orderBy('created_at')
    .execute()
  const ended: Pick<Run, 'id' | 'state' | 'error'>[] = []
  for (let from = 0; from < unfinished.length; from += runsInAQuery) {
    const ids = unfinished.slice(from, from + runsInAQuery).map(({ run }) => run)
    const rows = await db
      .selectFrom('run')
      .select(['id', 'state', 'error'])
      .where('host', '=', host)
      .where('id', 'in', ids)
      .where('ended_at', 'is not', null)
      .execute()
    for (const { id, state, error } of rows)
      ended.push({ id, state: state as RunState, error: error === null ? null : JSON.parse(error) })
  }
  return ended
}
