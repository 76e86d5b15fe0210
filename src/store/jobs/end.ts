// A job's last step, from any state.

import type { Kysely } from 'kysely'
import type { ErrorValue } from '../../contract/errors.ts'
import type { RunState } from '../../contract/run.ts'
import { preparedChange, type Values } from '../prepared.ts'
import type { JobTable, Tables } from '../schema.ts'
import type { Store } from '../store.ts'
import type { Claim, JobState } from './job.ts'

/**
 * Ends a job. `byHost`: its host says so, so it had the run even if that was not noted. `onlyIf`: only from that state.
 * `claim`: only while that claim holds, for whoever tried to start it.
 * `false`: it had ended before, was in another state, or the claim is not yours any more; nothing was changed.
 */
export function endJob(
  store: Store,
  end: {
    run: string
    runState: RunState
    error?: ErrorValue | null
    byHost?: boolean
    onlyIf?: JobState
    claim?: Omit<Claim, 'run'>
  },
): Promise<boolean> {
  const endedAt = new Date().toISOString()
  const change = {
    run: end.run,
    run_state: end.runState,
    ended_at: endedAt,
    started_at: end.byHost ? endedAt : null,
    error: end.error ? JSON.stringify(end.error) : null,
  }
  return store.write(async (db) => {
    const ended = end.claim
      ? await endClaimed(db, { ...change, ...end.claim })
      : end.onlyIf
        ? await endFrom(db, { ...change, from: end.onlyIf })
        : await endUnfinished(db, change)
    return ended > 0
  })
}

type End = Pick<JobTable, 'run' | 'run_state' | 'ended_at' | 'started_at' | 'error'>

const endUnfinished = preparedChange((db, value: Values<End>) => ending(db, value))

const endFrom = preparedChange((db, value: Values<End & { from: JobState }>) =>
  ending(db, value).where('state', '=', value('from')),
)

const endClaimed = preparedChange((db, value: Values<End & Omit<Claim, 'run'>>) =>
  ending(db, value).where('state', '=', 'claimed').where('owner', '=', value('owner')).where('fence', '=', value('fence')),
)

/** When it started is kept if it is known. */
function ending(db: Kysely<Tables>, value: Values<End>) {
  return db
    .updateTable('job')
    .set(({ fn, val }) => ({
      state: 'ended',
      run_state: value('run_state'),
      owner: null,
      lease_until: null,
      ended_at: value('ended_at'),
      started_at: fn.coalesce('started_at', val(value('started_at'))),
      error: value('error'),
    }))
    .where('run', '=', value('run'))
    .where('ended_at', 'is', null)
}
