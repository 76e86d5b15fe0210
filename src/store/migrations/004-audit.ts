// The audit log, and the row that says where it ends.

import { type Kysely, sql } from 'kysely'
import type { Migration } from 'kysely/migration'
import type { TextType } from './text-type.ts'

export function audit(text: TextType): Migration {
  return {
    async up(db: Kysely<unknown>) {
      await db.schema
        .createTable('audit')
        .addColumn('n', 'bigint', (c) => c.primaryKey())
        .addColumn('at', text, (c) => c.notNull())
        .addColumn('actor_kind', text, (c) => c.notNull())
        .addColumn('actor_id', text, (c) => c.notNull())
        .addColumn('actor_role', text, (c) => c.notNull())
        .addColumn('actor_name', text)
        .addColumn('action', text, (c) => c.notNull())
        .addColumn('host', text)
        .addColumn('subject', text)
        .addColumn('decision', text, (c) => c.notNull())
        .addColumn('why', text)
        .addColumn('digest', text)
        .addColumn('detail', text)
        .addColumn('hash', text, (c) => c.notNull())
        .execute()
      await db.schema
        .createTable('audit_head')
        .addColumn('id', 'bigint', (c) => c.primaryKey())
        .addColumn('n', 'bigint', (c) => c.notNull())
        .addColumn('hash', text, (c) => c.notNull())
        .execute()
      await sql`insert into audit_head (id, n, hash) values (1, 0, ${sql.lit('0'.repeat(64))})`.execute(db)
    },
  }
}
