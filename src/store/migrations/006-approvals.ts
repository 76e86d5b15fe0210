// What hosts ask people: a host's own approvals and, at a hub, those of all its hosts, with how far each host's were read and the web
// links that may answer them.

import type { Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'
import type { TextType } from './text-type.ts'

export function approvals(text: TextType): Migration {
  return {
    async up(db: Kysely<unknown>) {
      const { schema } = db
      await schema
        .createTable('approval')
        .addColumn('id', text, (c) => c.primaryKey())
        .addColumn('host', text, (c) => c.notNull())
        .addColumn('position', 'bigint', (c) => c.notNull())
        .addColumn('state', text, (c) => c.notNull())
        .addColumn('digest', text, (c) => c.notNull())
        .addColumn('asked', text, (c) => c.notNull())
        .addColumn('hub', text, (c) => c.notNull())
        .addColumn('asker', text)
        .addColumn('reason', text)
        .addColumn('cause', text, (c) => c.notNull())
        .addColumn('created_at', text, (c) => c.notNull())
        .addColumn('expires_at', text, (c) => c.notNull())
        .addColumn('spent_at', text)
        .addColumn('resolution', text)
        .addColumn('answer', text)
        .execute()
      await schema.createIndex('approval_position').on('approval').columns(['host', 'hub', 'position']).execute()
      await schema.createIndex('approval_state').on('approval').columns(['state', 'created_at', 'id']).execute()
      await schema.createIndex('approval_asked').on('approval').columns(['host', 'created_at']).execute()

      await schema
        .createTable('approval_cursor')
        .addColumn('host', text, (c) => c.primaryKey())
        .addColumn('position', 'bigint', (c) => c.notNull())
        .execute()

      await schema
        .createTable('approval_link')
        .addColumn('id', text, (c) => c.primaryKey())
        .addColumn('approval', text, (c) => c.notNull())
        .addColumn('minted_by', text, (c) => c.notNull())
        .addColumn('created_at', text, (c) => c.notNull())
        .addColumn('expires_at', text, (c) => c.notNull())
        .addColumn('used_at', text)
        .execute()
    },
  }
}
