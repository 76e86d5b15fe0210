// `muster audit …`: who asked for what, and what was decided.

import type { Command } from 'commander'
import { declareCommand, declareGroup } from '../declare.ts'
import { fileName, integer, nonEmpty, oneOf, single } from '../options.ts'
import type { Perform } from '../perform.ts'

const decisions = ['allowed', 'denied', 'asked', 'timeout', 'unavailable']

export function auditCommands(program: Command, perform: Perform): void {
  const group = declareGroup(program, 'audit', 'the audit log: who asked the hub for what, and what was decided')
  declareCommand(group, 'list', 'what was decided, newest first')
    .addOption(single('--actor <who>', "only of this one: a token's id or name, `local-socket`, an address", nonEmpty))
    .addOption(single('--action <action>', 'only this, e.g. token.create; `token.*` for all that begin so', nonEmpty))
    .addOption(single('--host <host>', 'only what was about this host', nonEmpty))
    .addOption(single('--decision <decision>', `only these: ${decisions.join(', ')}`, oneOf(...decisions)))
    .addOption(single('--since <when>', 'from this time on, or for so long back from now (2h)', nonEmpty))
    .addOption(single('--until <when>', 'before this time, or so long ago', nonEmpty))
    .addOption(single('--limit <n>', 'at most this many (default 50)', integer(1, 1000)))
    .addOption(single('--before <n>', 'the next page: only entries older than this number', integer(1, Number.MAX_SAFE_INTEGER)))
    .action(perform(async () => (await import('../audit/list.ts')).listEntries))
  declareCommand(group, 'verify', 'compute every hash again; name the first entry that is not as it was written; exit 1 for one')
    .addOption(single('--head <number:hash>', 'a head that you have kept: it must be part of the log', nonEmpty))
    .addOption(single('--file <file>', 'check an export, without a hub', fileName))
    .addOption(
      single('--from <number:hash>', 'with --file: the entry before its first one, where it is not a whole log', nonEmpty),
    )
    .action(perform(async () => (await import('../audit/verify.ts')).verify))
  declareCommand(group, 'export', 'the log as JSON lines, oldest first, to standard output')
    .addOption(single('--after <n>', 'only entries after this number', integer(0, Number.MAX_SAFE_INTEGER)))
    .action(perform(async () => (await import('../audit/export.ts')).exportEntries))
}
