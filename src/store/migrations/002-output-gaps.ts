// Mirrors remember whose output they have copied whole. Runs from before are looked at once more, which costs a read and loses
// nothing.

import type { Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'

export function outputGaps(): Migration {
  return {
    async up(db: Kysely<unknown>) {
      await db.schema
        .alterTable('run')
        .addColumn('output_whole', 'bigint', (c) => c.notNull().defaultTo(0))
        .execute()
      await db.schema.createIndex('run_output_gaps').on('run').columns(['host', 'output_whole']).execute()
    },
  }
}
