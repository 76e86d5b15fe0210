// `muster pairing …`: machines that ask to be let in, and hosts that ask for more.

import type { Command } from 'commander'
import { declareCommand, declareGroup } from '../declare.ts'
import { commandPattern, nonEmpty, repeated, single } from '../options.ts'
import type { Perform } from '../perform.ts'

const approveNotes = `
CODE is what the screen of the machine shows. The hub never shows it, so that nobody approves a machine that he does not see. A host
that is known and asks for more than was approved is named instead of a code.
`

export function pairingCommands(program: Command, perform: Perform): void {
  const group = declareGroup(program, 'pairing', 'machines that ask to be let in, and hosts that ask for more')
  declareCommand(group, 'list', 'who waits for a decision').action(perform(async () => (await import('../pairing/list.ts')).list))
  declareCommand(group, 'approve <code>', 'let the machine in that shows this code')
    .addOption(repeated('--allow <command>', 'grant only this of what it asks for; may be repeated', commandPattern))
    .addOption(single('--name <name>', 'call the host this, and not as it calls itself', nonEmpty))
    .addHelpText('after', approveNotes)
    .action(perform(async () => (await import('../pairing/approve.ts')).approve))
  declareCommand(
    group,
    'reject <code>',
    'turn a machine away, by its code or by its id in the list, or what a host asks for',
  ).action(perform(async () => (await import('../pairing/reject.ts')).reject))
}
