// The first schema: runs and their events, journals, jobs, tokens, nodes, health.
// `text` is the engine's text type that compares by code point, as JavaScript and SQLite do.

import type { Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'
import type { TextType } from './text-type.ts'

export function initial(text: TextType): Migration {
  return {
    async up(db: Kysely<unknown>) {
      await db.schema
        .createTable('run')
        .addColumn('host', text, (c) => c.notNull())
        .addColumn('id', text, (c) => c.notNull())
        .addColumn('kind', text, (c) => c.notNull())
        .addColumn('state', text, (c) => c.notNull())
        .addColumn('title', text, (c) => c.notNull())
        .addColumn('parent', text)
        .addColumn('parent_run', text)
        .addColumn('spec', text)
        .addColumn('fence', 'bigint', (c) => c.notNull())
        .addColumn('created_at', text, (c) => c.notNull())
        .addColumn('started_at', text)
        .addColumn('ended_at', text)
        .addColumn('pid', 'bigint')
        .addColumn('exit', text)
        .addColumn('error', text)
        .addColumn('stdout', 'bigint', (c) => c.notNull())
        .addColumn('stderr', 'bigint', (c) => c.notNull())
        .addColumn('last_event', 'bigint', (c) => c.notNull())
        .addPrimaryKeyConstraint('run_key', ['host', 'id'])
        .execute()
      await db.schema.createIndex('run_newest').on('run').columns(['host', 'created_at', 'id']).execute()
      await db.schema.createIndex('run_state').on('run').columns(['host', 'state']).execute()
      await db.schema.createIndex('run_parent').on('run').columns(['host', 'parent_run']).execute()

      await db.schema
        .createTable('event')
        .addColumn('host', text, (c) => c.notNull())
        .addColumn('run', text, (c) => c.notNull())
        .addColumn('seq', 'bigint', (c) => c.notNull())
        .addColumn('position', 'bigint', (c) => c.notNull())
        .addColumn('at', text, (c) => c.notNull())
        .addColumn('body', text, (c) => c.notNull())
        .addPrimaryKeyConstraint('event_key', ['host', 'run', 'seq'])
        .execute()
      await db.schema.createIndex('event_position').on('event').columns(['host', 'position']).execute()

      await db.schema
        .createTable('journal')
        .addColumn('host', text, (c) => c.primaryKey())
        .addColumn('position', 'bigint', (c) => c.notNull())
        .execute()

      await db.schema
        .createTable('job')
        .addColumn('run', text, (c) => c.primaryKey())
        .addColumn('host', text, (c) => c.notNull())
        .addColumn('key', text, (c) => c.unique())
        .addColumn('fingerprint', text, (c) => c.notNull())
        .addColumn('spec', text, (c) => c.notNull())
        .addColumn('kind', text, (c) => c.notNull())
        .addColumn('parent', text)
        .addColumn('parent_run', text)
        .addColumn('title', text, (c) => c.notNull())
        .addColumn('state', text, (c) => c.notNull())
        .addColumn('run_state', text, (c) => c.notNull())
        .addColumn('fence', 'bigint', (c) => c.notNull())
        .addColumn('owner', text)
        .addColumn('lease_until', text)
        .addColumn('queue', 'bigint', (c) => c.notNull())
        .addColumn('created_at', text, (c) => c.notNull())
        .addColumn('expires_at', text, (c) => c.notNull())
        .addColumn('started_at', text)
        .addColumn('ended_at', text)
        .addColumn('error', text)
        .execute()
      await db.schema.createIndex('job_waiting').on('job').columns(['state', 'created_at', 'run']).execute()
      await db.schema.createIndex('job_host').on('job').columns(['host', 'created_at', 'run']).execute()

      await db.schema
        .createTable('token')
        .addColumn('id', text, (c) => c.primaryKey())
        .addColumn('name', text, (c) => c.notNull())
        .addColumn('role', text, (c) => c.notNull())
        .addColumn('sha256', text, (c) => c.notNull().unique())
        .addColumn('created_at', text, (c) => c.notNull())
        .addColumn('last_used_at', text)
        .addColumn('revoked_at', text)
        .execute()

      await db.schema
        .createTable('node')
        .addColumn('host', text, (c) => c.primaryKey())
        .addColumn('token_sha256', text, (c) => c.notNull())
        .addColumn('public_key', text)
        .addColumn('created_at', text, (c) => c.notNull())
        .addColumn('enrolled_at', text)
        .execute()
      await db.schema.createIndex('node_public_key').on('node').column('public_key').execute()

      await db.schema
        .createTable('health')
        .addColumn('host', text, (c) => c.primaryKey())
        .addColumn('last_seen_at', text, (c) => c.notNull())
        .addColumn('info', text)
        .execute()

      await db.schema
        .createTable('probe')
        .addColumn('id', 'bigint', (c) => c.primaryKey())
        .addColumn('at', text, (c) => c.notNull())
        .execute()
    },
  }
}
