// What the hub last knew of each host, for when it cannot be asked.

import { HostInfo } from '../contract/host.ts'
import type { Store } from './store.ts'

export interface HostHealth {
  readonly lastSeenAt: string
  readonly info: HostInfo | null
}

/** Without `info`, what the host last said of itself stays. */
export async function saveHealth(
  store: Store,
  host: string,
  { lastSeenAt, info }: { lastSeenAt: string; info?: HostInfo },
): Promise<void> {
  const change = { last_seen_at: lastSeenAt, ...(info && { info: JSON.stringify(info) }) }
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

/** Info in an older shape is forgotten: the host says it again when it is next asked. */
function healthFrom(row: { last_seen_at: string; info: string | null }): HostHealth {
  const info = row.info === null ? undefined : HostInfo.safeParse(JSON.parse(row.info))
  return { lastSeenAt: row.last_seen_at, info: info?.success ? info.data : null }
}
