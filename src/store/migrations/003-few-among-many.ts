// Indexes of the few rows that are looked for among very many that have ended, so that nothing slows as runs pile up. The order of
// a list is part of its index: a page is read from it, and never sorted out of everything.

import { type Kysely, sql } from 'kysely'
import type { Migration } from 'kysely/migration'

export function fewAmongMany(): Migration {
  return {
    async up(db: Kysely<unknown>) {
      const { schema } = db
      for (const name of ['job_waiting', 'job_host', 'run_state', 'run_parent', 'run_output_gaps'])
        await schema.dropIndex(name).execute()

      await schema
        .createIndex('job_unfinished')
        .on('job')
        .columns(['state', 'created_at', 'run', 'host', 'expires_at'])
        .where(sql.ref('ended_at'), 'is', null)
        .execute()
      await schema
        .createIndex('job_unstarted')
        .on('job')
        .columns(['created_at', 'run', 'host'])
        .where(sql.ref('started_at'), 'is', null)
        .execute()

      await schema.createIndex('run_state').on('run').columns(['host', 'state', 'created_at', 'id']).execute()
      await schema.createIndex('run_kind').on('run').columns(['host', 'kind', 'created_at', 'id']).execute()
      await schema
        .createIndex('run_parent')
        .on('run')
        .columns(['host', 'parent_run', 'created_at', 'id'])
        .where(sql.ref('parent_run'), 'is not', null)
        .execute()
      // Only mirrored runs, which have no spec, have gaps.
      await schema
        .createIndex('run_output_gaps')
        .on('run')
        .columns(['host', 'created_at', 'id'])
        .where(sql.ref('output_whole'), '=', 0)
        .where(sql.ref('spec'), 'is', null)
        .execute()
    },
  }
}
