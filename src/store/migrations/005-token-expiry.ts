// Tokens expire, and remember who minted them. Those from before do neither.

import type { Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'
import type { TextType } from './text-type.ts'

export function tokenExpiry(text: TextType): Migration {
  return {
    async up(db: Kysely<unknown>) {
      await db.schema.alterTable('token').addColumn('expires_at', text).execute()
      await db.schema.alterTable('token').addColumn('created_by', text).execute()
    },
  }
}
