// The one way to move a job on that somebody may have moved meanwhile.

import type { Kysely, Selectable } from 'kysely'
import type { JobTable, Tables } from '../schema.ts'
import type { JobState } from './job.ts'

/** Moves a job on if it still is what the caller saw. Undefined: it is not, and nothing was changed. */
export function moveJob(
  db: Kysely<Tables>,
  seen: { run: string; from: readonly JobState[]; owner?: string; fence?: number; lapsedBy?: string },
  change: Partial<JobTable>,
): Promise<Selectable<JobTable> | undefined> {
  let update = db
    .updateTable('job')
    .set(change)
    .where('run', '=', seen.run)
    .where('state', 'in', [...seen.from])
  if (seen.owner !== undefined) update = update.where('owner', '=', seen.owner)
  if (seen.fence !== undefined) update = update.where('fence', '=', seen.fence)
  if (seen.lapsedBy !== undefined) update = update.where('lease_until', '<', seen.lapsedBy)
  return update.returningAll().executeTakeFirst()
}
