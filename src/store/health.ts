// What the hub last knew of each host, for when it cannot be asked.

import { z } from 'zod'
import { HostInfo } from '../contract/host.ts'
import type { Store } from './store.ts'

export interface HostHealth {
  readonly lastSeenAt: string
  readonly info: HostInfo | null
  /** By how much its clock was ahead of this hub's when it said so; null: unknown. */
  readonly clockOffsetMs: number | null
}

/** What the column `info` holds. */
const Said = z.object({ info: HostInfo, clockOffsetMs: z.int().nullable() })

/** Without `info`, what the host last said of itself stays. */
export async function saveHealth(
  store: Store,
  host: string,
  { lastSeenAt, info, clockOffsetMs = null }: { lastSeenAt: string; info?: HostInfo; clockOffsetMs?: number | null },
): Promise<void> {
  const change = { last_seen_at: lastSeenAt, ...(info && { info: JSON.stringify({ info, clockOffsetMs }) }) }
  await store.write((db) =>
    db
      .insertInto('health')
      .values({ host, info: null, ...change })
      .onConflict((conflict) => conflict.column('host').doUpdateSet(change))
      .execute(),
  )
}

export async function healthOf({ db }: Store, host: string): Promise<HostHealth | undefined> {
  const row = await db.selectFrom('health').selectAll().where('host', '=', host).executeTakeFirst()
  return row && healthFrom(row)
}

export async function allHealth({ db }: Store): Promise<Map<string, HostHealth>> {
  const rows = await db.selectFrom('health').selectAll().execute()
  return new Map(rows.map((row) => [row.host, healthFrom(row)]))
}

/** What was said in an older shape is forgotten: the host says it again when it is next asked. */
function healthFrom(row: { last_seen_at: string; info: string | null }): HostHealth {
  const said = row.info === null ? undefined : Said.safeParse(JSON.parse(row.info)).data
  return { lastSeenAt: row.last_seen_at, info: said?.info ?? null, clockOffsetMs: said?.clockOffsetMs ?? null }
}
