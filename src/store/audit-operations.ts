// The contract's operations that read an audit log: a hub's, and a host's for its own people.

import { exportAudit, listAudit, verifyAudit } from '../contract/audit.ts'
import { type Bound, implement } from '../contract/implementation.ts'
import { checkAudit, findAudit, readAudit } from './audit.ts'
import type { StoreReader } from './engine.ts'

/** Lines that leave together: one by one they would cost more than what they say. */
const chunkLines = 200

/** `hostIdOf`: the id under which entries have a host that is asked for. */
export function auditOperations(store: StoreReader, hostIdOf: (ref: string) => string): Bound[] {
  return [
    implement(listAudit, ({ host, ...wanted }) =>
      findAudit(store, { ...wanted, ...(host !== undefined && { host: hostIdOf(host) }) }),
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
