// `muster audit export`.

import { exportAudit } from '../../contract/audit.ts'
import { failure } from '../../contract/errors.ts'
import { connect } from '../hub-connection.ts'
import type { Action } from '../perform.ts'

export const exportEntries: Action<{ readonly after?: number }, []> = async (terminal, { after = 0, json, output }) => {
  if (json || output !== undefined) {
    throw failure('cli.usage', {
      problem: 'An export is JSON lines on standard output already.',
      hint: 'Leave --json and --output out: `muster audit export > audit.jsonl`.',
    })
  }
  using client = connect(terminal)
  for await (const bytes of client.hub.bytes(exportAudit, { after })) await terminal.out(bytes)
  return { json: null, shown: true }
}
