// Certificates that this hub has signed for hosts. A row is there before its certificate leaves the hub; a certificate without one
// was revoked or replaced, or never was. Rows of a host that is removed, or gets another token, go with its credential (nodes.ts).

import type { Store } from './store.ts'

export interface IssuedCertificate {
  /** SHA-256 of the certificate, as Node writes it. */
  readonly fingerprint: string
  readonly host: string
  /** Fingerprint of the root that signed it. */
  readonly authority: string
  readonly issuedAt: string
  readonly expiresAt: string
  /** Null until the node has said that it keeps it, or has shown it. */
  readonly installedAt: string | null
}

/** False: the host has no credential any more, and nothing was added. */
export function addCertificate(
  store: Store,
  { fingerprint, host, authority, issuedAt, expiresAt }: IssuedCertificate,
): Promise<boolean> {
  return store.write(async (db) => {
    const node = await db.selectFrom('node').select('host').where('host', '=', host).executeTakeFirst()
    if (!node) return false
    await db
      .insertInto('certificate')
      .values({ fingerprint, host, authority, issued_at: issuedAt, expires_at: expiresAt, installed_at: null })
      .execute()
    return true
  })
}

/** The node has this one: those that it was given before count no longer. A second time changes nothing. */
export async function confirmCertificate(store: Store, fingerprint: string, at: string): Promise<void> {
  await store.write(async (db) => {
    const confirmed = await db
      .updateTable('certificate')
      .set({ installed_at: at })
      .where('fingerprint', '=', fingerprint)
      .where('installed_at', 'is', null)
      .returning(['host', 'issued_at'])
      .executeTakeFirst()
    if (!confirmed) return
    await db
      .deleteFrom('certificate')
      .where('host', '=', confirmed.host)
      .where('fingerprint', '!=', fingerprint)
      .where('issued_at', '<=', confirmed.issued_at)
      .execute()
  })
}

/** Those of a host, newest first. */
export async function certificatesOf({ db }: Store, host: string): Promise<IssuedCertificate[]> {
  const rows = await db.selectFrom('certificate').selectAll().where('host', '=', host).orderBy('issued_at', 'desc').execute()
  return rows.map((row) => ({
    fingerprint: row.fingerprint,
    host: row.host,
    authority: row.authority,
    issuedAt: row.issued_at,
    expiresAt: row.expires_at,
    installedAt: row.installed_at,
  }))
}

/** How many hosts have one of this root that is valid at `now`. */
export async function hostsCertifiedBy({ db }: Store, authority: string, now: string): Promise<number> {
  const { hosts } = await db
    .selectFrom('certificate')
    .select((row) => row.fn.count<number>('host').distinct().as('hosts'))
    .where('authority', '=', authority)
    .where('expires_at', '>', now)
    .executeTakeFirstOrThrow()
  return Number(hosts)
}
