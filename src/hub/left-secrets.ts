// Secrets of hosts whose records were deleted while no hub ran: nobody can ask for them any more, so they are taken away as the hub opens.
// Where the folder of records was away, or a record that cannot be read may be any host's, all are kept.

import type { Logger } from 'pino'
import { HostId, type Registry } from './registry.ts'
import type { Secrets } from './secrets.ts'

export async function removeLeftSecrets({
  registry,
  secrets,
  log,
}: {
  readonly registry: Registry
  readonly secrets: Secrets
  readonly log: Logger
}): Promise<void> {
  const kept = await secrets.hosts()
  if (kept.length === 0) return
  const { records, corrupt } = await registry.read()
  const isAnybodys = corrupt.some(({ about }) => !about.some((id) => HostId.safeParse(id).success))
  if (registry.isNew || isAnybodys) return
  const known = new Set([...records.map(({ id }) => id), ...corrupt.flatMap(({ about }) => about)])
  for (const host of kept.filter((id) => !known.has(id))) {
    const leftInKeychain = await secrets.remove(host)
    // Why it stays where it is, if it does, has been said.
    if (leftInKeychain === null) log.warn({ host }, 'the record of a host was deleted while no hub ran: its secret is removed')
  }
}
