// Brings a database up to date: forward only, each migration once, all that are due in one transaction.
// To change the schema, add the next number here and edit schema.ts; never edit a migration that was released.

import type { Kysely } from 'kysely'
import { type Migration, Migrator } from 'kysely/migration'
import { failure } from '../contract/errors.ts'
import { initial } from './migrations/001-initial.ts'
import { outputGaps } from './migrations/002-output-gaps.ts'
import { fewAmongMany } from './migrations/003-few-among-many.ts'
import { audit } from './migrations/004-audit.ts'
import { tokenExpiry } from './migrations/005-token-expiry.ts'
import { approvals } from './migrations/006-approvals.ts'
import { pairing } from './migrations/007-pairing.ts'
import { certificates } from './migrations/008-certificates.ts'
import { fleetEvents } from './migrations/009-fleet-events.ts'
import type { TextType } from './migrations/text-type.ts'
import type { Tables } from './schema.ts'

export function migrations(text: TextType): Record<string, Migration> {
  return {
    '001-initial': initial(text),
    '002-output-gaps': outputGaps(),
    '003-few-among-many': fewAmongMany(),
    '004-audit': audit(text),
    '005-token-expiry': tokenExpiry(text),
    '006-approvals': approvals(text),
    '007-pairing': pairing(text),
    '008-certificates': certificates(text),
    '009-fleet-events': fleetEvents(text),
  }
}

/** Rejects with `store.newer` for a database with a migration that is not known here, and leaves it as it is. */
export async function migrate(db: Kysely<Tables>, known: Record<string, Migration>): Promise<void> {
  await knownMigrations(db, known)
  const { error } = await new Migrator({ db, provider: { getMigrations: async () => known } }).migrateToLatest()
  if (error !== undefined) throw error
}

/** Those that a database has. Rejects with `store.newer` where one of them is not known here. */
export async function knownMigrations(db: Kysely<Tables>, known: Record<string, Migration>): Promise<string[]> {
  const found = await applied(db)
  const newest = found
    .filter((name) => !Object.hasOwn(known, name))
    .toSorted()
    .at(-1)
  if (newest !== undefined) throw failure('store.newer', { found: newest })
  return found
}

async function applied(db: Kysely<Tables>): Promise<string[]> {
  const tables = await db.introspection.getTables({ withInternalKyselyTables: true })
  if (!tables.some(({ name }) => name === 'kysely_migration')) return []
  const rows = await db
    .withTables<{ kysely_migration: { name: string } }>()
    .selectFrom('kysely_migration')
    .select('name')
    .execute()
  return rows.map(({ name }) => name)
}
