// `muster node …`: making this machine a host, and the hub's half of that.

import type { Command } from 'commander'
import { families } from '../../host/policy.ts'
import { declareCommand } from '../declare.ts'
import { nonEmpty, oneOf, pair, repeated, single, tunnelUrl } from '../options.ts'
import type { Perform } from '../perform.ts'

const notes = `
The hub may do here only what --allow names; without it, nothing can be started. The token is needed the first time only:
from then on this machine's key is its credential. Give it by --token-stdin or in MUSTER_TOKEN: other accounts of the
machine can read a command line.
`

export function nodeCommands(program: Command, perform: Perform): void {
  const node = declareCommand(program, 'node', 'make this machine a host: dial the hub and do what it asks')
    .enablePositionalOptions()
    .usage('[options] | enroll [options] NAME')
    .addOption(single('--hub <url>', "the hub's address, such as wss://hub.example:7878", tunnelUrl))
    .option('--token-stdin', 'read the enrolment token from standard input')
    .addOption(single('--token <token>', 'the enrolment token (discouraged: it can be seen in the list of processes)', nonEmpty))
    .addOption(single('--node-id <id>', "the host id that this machine is; checked against the hub's answer", nonEmpty))
    .addOption(
      repeated('--allow <family>', `what the hub may do here: ${families.join(', ')}; may be repeated`, oneOf(...families)),
    )
    .option('--insecure', 'dial ws:// beyond this machine: tokens, commands and output can then be read on the way')
    .addOption(
      single('--name <name>', "what this host calls itself until the hub names it (default: the machine's name)", nonEmpty),
    )
    .addHelpText('after', notes)
    .action(perform(async () => (await import('../node/serve.ts')).serveNode))
  declareCommand(node, 'enroll <name>', 'on the hub: mint the one-time token for a new host and print the command that joins it')
    .addOption(single('--hub-url <url>', "the address that the host will dial (default: the hub's own)", tunnelUrl))
    .addOption(repeated('--label <name=value>', 'a label of the host; may be repeated', pair))
    .action(perform(async () => (await import('../node/enroll.ts')).enroll))
}
