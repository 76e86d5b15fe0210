// `muster node …`: making this machine a host, and the hub's half of that.

import type { Command } from 'commander'
import { trustFlags } from '../../connectors/flags.ts'
import { declareCommand, declareGroup } from '../declare.ts'
import { optionOf } from '../host/connector-options.ts'
import { trustOption } from '../host/trust-option.ts'
import { commandPattern, duration, integer, nonEmpty, pair, repeated, single, tunnelUrl } from '../options.ts'
import type { Perform } from '../perform.ts'
import { ownAuditCommands } from './audit.ts'

const notes = `
The hub may do here only what --allow names; without it, nothing can be started. The token is needed the first time only:
from then on this machine's key is its credential. Give it by --token-stdin or in MUSTER_TOKEN: other accounts of the
machine can read a command line. --ca-file and --pin are remembered with the hub's address.
`

const joinNotes = `
It shows six digits and waits until they are typed at the hub: \`muster pairing approve CODE\`. Let only him approve who sees this
screen, for the digits are what tells this machine and its hub from somebody between them. --allow is remembered with the hub's
address; \`muster node\` alone serves every hub that was joined.
`

const leaveNotes = `
The hub is told, and forgets this machine; if it cannot be told, this machine forgets the hub all the same. What runs here goes on.
`

const pullNotes = `
\`muster host add NAME --bucket URL\` on the hub prints the whole command. The token is needed the first time only, and may
be given in MUSTER_TOKEN. Credentials for the store come from where its own tools take them.
`

const attachNotes = `
It speaks Muster's protocol, not words: \`muster host add NAME --ssh USER@HOST\` on the hub is what makes use of it.
`

const exposeNotes = `
A command is named like exec, file.read or runs (everything that \`muster exec\` and workflows start), or several together like file.* or *.
The rule is written into node/policy.toml in MUSTER_HOME and counts from the next question, also for a node that runs. --when is CEL over
command, params, hub, session and principal: --when 'params.path.startsWith("/srv/")'. docs/policy.md tells all of it.
`

const allowing = 'what the hub may have here, such as runs, exec or file.*; may be repeated (more: `muster node expose`)'

export function nodeCommands(program: Command, perform: Perform): void {
  const node = declareCommand(program, 'node', 'make this machine a host: dial the hub and do what it asks')
    .enablePositionalOptions()
    .usage('[options] | join [options] HUB_URL | leave [HUB_URL] | enroll [options] NAME | expose [options] COMMAND | …')
    .addOption(single('--hub <url>', "the hub's address, such as wss://hub.example:7878", tunnelUrl))
    .option('--token-stdin', 'read the enrolment token from standard input')
    .addOption(single('--token <token>', 'the enrolment token (discouraged: it can be seen in the list of processes)', nonEmpty))
    .addOption(single('--node-id <id>', "the host id that this machine is; checked against the hub's answer", nonEmpty))
    .addOption(repeated('--allow <command>', allowing, commandPattern))
    .option('--insecure', 'dial ws:// beyond this machine: tokens, commands and output can then be read on the way')
    .addOption(
      single('--name <name>', "what this host calls itself until the hub names it (default: the machine's name)", nonEmpty),
    )
    .addHelpText('after', notes)
    .action(perform(async () => (await import('../node/serve.ts')).serveNode))
  for (const flag of trustFlags) node.addOption(optionOf({ ...flag, description: `wss: ${flag.description}` }))
  const join = declareCommand(
    node,
    'join <hub-url>',
    'ask a hub to let this machine in: shows a code to be typed there, then serves',
  )
    .addOption(single('--name <name>', "what this machine is to be called there (default: the machine's name)", nonEmpty))
    .addOption(repeated('--allow <command>', `${allowing}; an approval there grants no more`, commandPattern))
    .option('--insecure', 'dial ws:// beyond this machine: commands and output can then be read on the way')
    .option('--once', 'end once this machine is let in; `muster node` then serves')
    .addHelpText('after', joinNotes)
    .action(perform(async () => (await import('../node/join.ts')).join))
  for (const flag of trustFlags) join.addOption(optionOf({ ...flag, description: `wss: ${flag.description}` }))
  declareCommand(node, 'leave [hub-url]', 'leave a hub for good: the one that is named, or the only one')
    .option('--insecure', 'dial ws:// beyond this machine')
    .addHelpText('after', leaveNotes)
    .action(perform(async () => (await import('../node/leave.ts')).leave))
  declareCommand(node, 'enroll <name>', 'on the hub: mint the one-time token for a new host and print the command that joins it')
    .addOption(single('--hub-url <url>', "the address that the host will dial (default: the hub's own)", tunnelUrl))
    .addOption(repeated('--label <name=value>', 'a label of the host; may be repeated', pair))
    .addOption(trustOption())
    .action(perform(async () => (await import('../node/enroll.ts')).enroll))
  declareCommand(node, 'pull', 'do what a hub has put into a bucket that both can reach, where neither can reach the other')
    .addOption(single('--bucket <url>', 's3://NAME, gs://NAME or file:///DIRECTORY', nonEmpty))
    .addOption(single('--prefix <prefix>', 'what the names of its objects begin with', nonEmpty))
    .addOption(single('--endpoint <url>', "the store's address, if not the provider's own", nonEmpty))
    .option('--insecure', 'permit an http:// endpoint beyond this machine: commands and output can then be read on the way')
    .option('--token-stdin', 'read the token that the hub printed from standard input')
    .addOption(single('--token <token>', 'that token (discouraged: it can be seen in the list of processes)', nonEmpty))
    .addOption(repeated('--allow <command>', allowing, commandPattern))
    .option('--once', 'end when nothing is left to do, for cron')
    .addOption(single('--interval <duration>', 'how often to look (default: 15s)', duration))
    .addOption(single('--concurrency <n>', 'so many runs at once (default: 4)', integer(1, 256)))
    .addHelpText('after', pullNotes)
    .action(perform(async () => (await import('../node/pull.ts')).pull))
  declareCommand(node, 'expose <command>', 'let hubs have a command of this machine')
    .addOption(single('--to <hub>', "this hub alone: its key's fingerprint, or the beginning of it", nonEmpty))
    .option('--ask', 'only after a person at the hub has been asked, each time')
    .addOption(single('--when <cel>', 'only when this condition holds', nonEmpty))
    .addHelpText('after', exposeNotes)
    .action(perform(async () => (await import('../node/expose.ts')).expose))
  declareCommand(node, 'hide <command>', 'take a command of this machine from hubs; what runs goes on')
    .addOption(single('--to <hub>', "from this hub alone: its key's fingerprint, or the beginning of it", nonEmpty))
    .action(perform(async () => (await import('../node/hide.ts')).hide))
  const policy = declareGroup(node, 'policy', "this machine's own policy: what hubs may have here")
  declareCommand(policy, 'test <command> [params]', 'what it decides about a command, rule by rule; nothing is begun')
    .addOption(single('--hub <hub>', "for this hub: its key's fingerprint, or the beginning of it", nonEmpty))
    .addOption(single('--session <id>', 'in this session', nonEmpty))
    .action(perform(async () => (await import('../node/test-policy.ts')).testPolicyHere))
  ownAuditCommands(node, perform)
  declareCommand(node, 'attach', 'what a hub runs here by ssh: join standard input and output to the node of this machine')
    .addHelpText('after', attachNotes)
    .action(perform(async () => (await import('../node/attach.ts')).attach))
  declareCommand(node, 'daemon', 'be the node of this machine for hubs that come by ssh; `attach` starts it when it is needed')
    .addOption(
      repeated(
        '--allow <command>',
        'what they may have here, beside what node/policy.toml names (default: without that file, everything)',
        commandPattern,
      ),
    )
    .addOption(single('--idle <duration>', 'end after so long without a hub and without work (default: 10m)', duration))
    .action(perform(async () => (await import('../node/daemon.ts')).serveDaemon))
}
