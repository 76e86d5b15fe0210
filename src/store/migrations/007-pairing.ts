// Hosts that were let in by pairing: by whom, and what of their later wishes was turned down.

import type { Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'
import type { TextType } from './text-type.ts'

export function pairing(text: TextType): Migration {
  return {
    async up(db: Kysely<unknown>) {
      await db.schema
        .createTable('pairing')
        .addColumn('host', text, (c) => c.primaryKey())
        .addColumn('approved_at', text, (c) => c.notNull())
        .addColumn('approved_by', text, (c) => c.notNull())
        .addColumn('refused', text, (c) => c.notNull())
        .execute()
    },
  }
}
