// The audit log of the host of a home, for the people of its machine: no hub can ask for it.

import { join } from 'node:path'
import { type KeptAudit, openKeptAudit } from '../store/kept-audit.ts'
import { hostHome } from './home.ts'

/** `home`: $MUSTER_HOME. Throws `audit.none` where no host has run yet, `file.unreadable`, `store.newer`. */
export function auditAtHome(home: string): Promise<KeptAudit> {
  return openKeptAudit(hostHome(join(home, 'host')).database)
}
