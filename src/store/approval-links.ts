// Web links that answer an approval: which were made, by whom, and whether they were used. What signs them is not kept here.

import type { Selectable } from 'kysely'
import type { ApprovalLinkTable } from './schema.ts'
import type { Store } from './store.ts'

export interface ApprovalLink {
  readonly id: string
  readonly approval: string
  readonly mintedBy: string
  readonly expiresAt: string
  readonly usedAt: string | null
}

/** Keeps a new link, and forgets those whose time is long over. */
export async function addApprovalLink(
  store: Store,
  { id, approval, mintedBy, expiresAt }: Omit<ApprovalLink, 'usedAt'>,
): Promise<void> {
  const now = new Date()
  const longAgo = new Date(now.getTime() - keptMs).toISOString()
  await store.write(async (db) => {
    await db.deleteFrom('approval_link').where('expires_at', '<', longAgo).execute()
    await db
      .insertInto('approval_link')
      .values({ id, approval, minted_by: mintedBy, created_at: now.toISOString(), expires_at: expiresAt, used_at: null })
      .execute()
  })
}

const keptMs = 24 * 3600_000

export async function findApprovalLink({ db }: Store, id: string): Promise<ApprovalLink | undefined> {
  const row = await db.selectFrom('approval_link').selectAll().where('id', '=', id).executeTakeFirst()
  return row && linkOf(row)
}

/** Uses a link up. False: it was used before. */
export async function useApprovalLink(store: Store, id: string): Promise<boolean> {
  const row = await store.write((db) =>
    db
      .updateTable('approval_link')
      .set({ used_at: new Date().toISOString() })
      .where('id', '=', id)
      .where('used_at', 'is', null)
      .returning('id')
      .executeTakeFirst(),
  )
  return row !== undefined
}

/** Nothing came of its use: it may be used again. */
export async function releaseApprovalLink(store: Store, id: string): Promise<void> {
  await store.write((db) => db.updateTable('approval_link').set({ used_at: null }).where('id', '=', id).execute())
}

function linkOf(row: Selectable<ApprovalLinkTable>): ApprovalLink {
  return { id: row.id, approval: row.approval, mintedBy: row.minted_by, expiresAt: row.expires_at, usedAt: row.used_at }
}
