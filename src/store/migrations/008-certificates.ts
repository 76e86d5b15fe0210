// Certificates that the hub has signed for its hosts, by their SHA-256: what is not here any more does not count.

import type { Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'
import type { TextType } from './text-type.ts'

export function certificates(text: TextType): Migration {
  return {
    async up(db: Kysely<unknown>) {
      await db.schema
        .createTable('certificate')
        .addColumn('fingerprint', text, (c) => c.primaryKey())
        .addColumn('host', text, (c) => c.notNull())
        .addColumn('authority', text, (c) => c.notNull())
        .addColumn('issued_at', text, (c) => c.notNull())
        .addColumn('expires_at', text, (c) => c.notNull())
        .addColumn('installed_at', text)
        .execute()
      await db.schema.createIndex('certificate_host').on('certificate').columns(['host']).execute()
    },
  }
}
