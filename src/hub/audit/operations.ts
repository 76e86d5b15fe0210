// Reading the hub's audit log.

import { exportAudit, listAudit, verifyAudit } from '../../contract/audit.ts'
import { type Bound, implement } from '../../contract/implementation.ts'
import { checkAudit, findAudit, readAudit } from '../../store/audit.ts'
import type { Store } from '../../store/store.ts'
import type { Fleet } from '../fleet.ts'

/** Lines that leave together: one by one they would cost more than what they say. */
const chunkLines = 200

export function auditOperations(store: Store, fleet: Fleet): Bound[] {
  // A host that was removed is found by its id.
  const idOf = (ref: string) => fleet.all().find(({ id, name }) => id === ref || name === ref)?.id ?? ref
  return [
    implement(listAudit, ({ host, ...wanted }) =>
      findAudit(store, { ...wanted, ...(host !== undefined && { host: idOf(host) }) }),
    ),
    implement(verifyAudit, ({ head }) => checkAudit(store, head)),
    implement(exportAudit, async function* ({ after }) {
      let lines: string[] = []
      for await (const one of readAudit(store, after)) {
        lines.push(`${JSON.stringify('entry' in one ? one.entry : one.written)}\n`)
        if (lines.length === chunkLines) {
          yield Buffer.from(lines.join(''))
          lines = []
        }
      }
      if (lines.length > 0) yield Buffer.from(lines.join(''))
    }),
  ]
}
