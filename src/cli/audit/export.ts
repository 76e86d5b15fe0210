// `muster audit export`, and `muster node audit export`.

import { exportAudit } from '../../contract/audit.ts'
import { failure } from '../../contract/errors.ts'
import type { Action, Outcome } from '../perform.ts'
import type { Terminal } from '../terminal.ts'
import { hubLog, type LogSource, nodeLog } from './log.ts'

type Export = Action<{ readonly after?: number }, []>

export const exportEntries: Export = (terminal, options) => exportFrom(hubLog, terminal, options)
export const exportOwnEntries: Export = (terminal, options) => exportFrom(nodeLog, terminal, options)

async function exportFrom(
  source: LogSource,
  terminal: Terminal,
  { after = 0, json, output }: Parameters<Export>[1],
): Promise<Outcome> {
  if (json || output !== undefined) {
    throw failure('cli.usage', {
      problem: 'An export is JSON lines on standard output already.',
      hint: 'Leave --json and --output out: `muster audit export > audit.jsonl`.',
    })
  }
  await using opened = await source(terminal)
  for await (const bytes of opened.log.bytes(exportAudit, { after })) await terminal.out(bytes)
  return { json: null, shown: true }
}
