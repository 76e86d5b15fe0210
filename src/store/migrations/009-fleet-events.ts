// What happens beside runs, at a hub and on a node, and how far each numbering goes: the own one as it was given out, those of hosts as
// they were taken in.

import type { Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'
import type { TextType } from './text-type.ts'

export function fleetEvents(text: TextType): Migration {
  return {
    async up(db: Kysely<unknown>) {
      await db.schema
        .createTable('fleet_event')
        .addColumn('position', 'bigint', (c) => c.primaryKey())
        .addColumn('at', text, (c) => c.notNull())
        .addColumn('topic', text, (c) => c.notNull())
        .addColumn('host', text)
        .addColumn('name', text)
        .addColumn('data', text, (c) => c.notNull())
        .execute()
      await db.schema
        .createTable('event_cursor')
        .addColumn('source', text, (c) => c.primaryKey())
        .addColumn('position', 'bigint', (c) => c.notNull())
        .execute()
    },
  }
}
