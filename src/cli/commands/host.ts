// `muster host …`: the machines that the hub knows.

import type { Command } from 'commander'
import { declareCommand, declareGroup } from '../declare.ts'
import { connectorOptions } from '../host/connector-options.ts'
import { trustOption } from '../host/trust-option.ts'
import { commandPattern, nonEmpty, pair, repeated, single, tunnelUrl } from '../options.ts'
import type { Perform } from '../perform.ts'

const addNotes = `
Exactly one way to reach it is given. The id alone is printed on standard output; whether the host answers is said on standard error.
A token is kept in the keychain of the hub's account, or in a file that only that account may read. Give it by --token-stdin or in
MUSTER_HOST_TOKEN: other accounts of the machine can read a command line. A host that dials in is made by \`muster node enroll\`.
`

const tokenNotes = `
A host that dials in: the hub makes its token and prints it this once, with the command for that machine. The link is closed at once,
what runs there goes on, and the node joins again with the new token alone. A host that is reached by its URL: the token that comes
by --token-stdin takes the place of the one that this hub keeps, and the host is asked with it. Other hosts have none.
`

export function hostCommands(program: Command, perform: Perform): void {
  const group = declareGroup(program, 'host', 'hosts: the machines that the hub knows')
  declareCommand(group, 'list', 'every host and whether it can be reached')
    .option('--probe', 'ask them all now, at once; one that takes longer than 2 s is marked')
    .action(perform(async () => (await import('../host/list.ts')).listHosts))
  declareCommand(group, 'show <host>', 'one host, asked for its present state').action(
    perform(async () => (await import('../host/show.ts')).showHost),
  )
  declareCommand(group, 'commands <host> [command]', 'what its catalog offers this hub, or one command with its schemas').action(
    perform(async () => (await import('../host/commands.ts')).showCommands),
  )
  const add = declareCommand(group, 'add <name>', 'add a host that this hub reaches by itself')
  for (const option of connectorOptions()) add.addOption(option)
  add
    .option('--token-stdin', "read the host's token from standard input")
    .addOption(single('--token <token>', "the host's token (discouraged: it can be seen in the list of processes)", nonEmpty))
    .addOption(repeated('--label <name=value>', 'a label of the host; may be repeated', pair))
    .addOption(trustOption())
    .option('--no-probe', 'do not ask it how it is')
    .addHelpText('after', addNotes)
    .action(perform(async () => (await import('../host/add.ts')).addHost))
  declareCommand(group, 'rename <host> <name>', 'give a host another name').action(
    perform(async () => (await import('../host/rename.ts')).renameHost),
  )
  declareCommand(group, 'label <host> [changes...]', 'set labels (zone=eu), take them away (zone-), or show them').action(
    perform(async () => (await import('../host/label.ts')).labelHost),
  )
  declareCommand(group, 'trust <host>', "the hub's side of what may be begun on a host: add to it, take away, or show it")
    .addOption(repeated('--add <command>', 'such as runs, exec or file.*; may be repeated', commandPattern))
    .addOption(repeated('--remove <command>', 'as it is written there; may be repeated', commandPattern))
    .action(perform(async () => (await import('../host/trust.ts')).trustHost))
  declareCommand(group, 'token <host>', 'give a host another token; the former one counts no longer')
    .option('--token-stdin', 'read the new token from standard input, for a host that this hub shows one')
    .addOption(single('--hub-url <url>', "the address that the host will dial (default: the hub's own)", tunnelUrl))
    .option('--no-probe', 'do not ask it how it is')
    .addHelpText('after', tokenNotes)
    .action(perform(async () => (await import('../host/token.ts')).replaceToken))
  declareCommand(group, 'remove <host>', 'forget a host and revoke its credential')
    .option('--force', 'also while it has live runs')
    .action(perform(async () => (await import('../host/remove.ts')).removeHost))
}
