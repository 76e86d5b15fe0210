// `muster audit …` and `muster node audit …`: who asked for what, and what was decided.

import type { Command } from 'commander'
import { declareCommand, declareGroup } from '../declare.ts'
import { fileName, integer, nonEmpty, oneOf, single } from '../options.ts'
import type { Perform } from '../perform.ts'

const decisions = ['allowed', 'denied', 'asked', 'timeout', 'unavailable']

const ownNotes = `
The host of this machine writes down what hubs have asked it for and what it decided. The log is read from its file in MUSTER_HOME,
whether the node runs or not; no hub can read or change it (docs/audit.md).
`

export function auditCommands(program: Command, perform: Perform): void {
  const group = declareGroup(program, 'audit', 'the audit log: who asked the hub for what, and what was decided')
  listOptions(declareCommand(group, 'list', 'what was decided, newest first'), "a token's id or name, `local-socket`, an address")
    .addOption(single('--host <host>', 'only what was about this host', nonEmpty))
    .action(perform(async () => (await import('../audit/list.ts')).listEntries))
  verifyOptions(declareCommand(group, 'verify', verifies), 'without a hub').action(
    perform(async () => (await import('../audit/verify.ts')).verify),
  )
  exportOptions(declareCommand(group, 'export', exports)).action(
    perform(async () => (await import('../audit/export.ts')).exportEntries),
  )
}

/** The same of this machine's own host. */
export function ownAuditCommands(node: Command, perform: Perform): void {
  const group = declareGroup(node, 'audit', "this machine's own audit log: which hub asked for what, and what was decided here")
  listOptions(declareCommand(group, 'list', 'what was decided here, newest first'), "a hub's fingerprint")
    .addHelpText('after', ownNotes)
    .action(perform(async () => (await import('../audit/list.ts')).listOwnEntries))
  verifyOptions(declareCommand(group, 'verify', verifies), 'instead')
    .addHelpText('after', ownNotes)
    .action(perform(async () => (await import('../audit/verify.ts')).verifyOwn))
  exportOptions(declareCommand(group, 'export', exports))
    .addHelpText('after', ownNotes)
    .action(perform(async () => (await import('../audit/export.ts')).exportOwnEntries))
}

const verifies = 'compute every hash again; name the first entry that is not as it was written; exit 1 for one'
const exports = 'the log as JSON lines, oldest first, to standard output'

function listOptions(command: Command, who: string): Command {
  return command
    .addOption(single('--actor <who>', `only of this one: ${who}`, nonEmpty))
    .addOption(single('--action <action>', 'only this, e.g. token.create; `token.*` for all that begin so', nonEmpty))
    .addOption(single('--decision <decision>', `only these: ${decisions.join(', ')}`, oneOf(...decisions)))
    .addOption(single('--since <when>', 'from this time on, or for so long back from now (2h)', nonEmpty))
    .addOption(single('--until <when>', 'before this time, or so long ago', nonEmpty))
    .addOption(single('--limit <n>', 'at most this many (default 50)', integer(1, 1000)))
    .addOption(single('--before <n>', 'the next page: only entries older than this number', integer(1, Number.MAX_SAFE_INTEGER)))
}

function verifyOptions(command: Command, how: string): Command {
  return command
    .addOption(single('--head <number:hash>', 'a head that you have kept: it must be part of the log', nonEmpty))
    .addOption(single('--file <file>', `check an export, ${how}`, fileName))
    .addOption(
      single('--from <number:hash>', 'with --file: the entry before its first one, where it is not a whole log', nonEmpty),
    )
}

function exportOptions(command: Command): Command {
  return command.addOption(single('--after <n>', 'only entries after this number', integer(0, Number.MAX_SAFE_INTEGER)))
}
