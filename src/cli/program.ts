// The whole command line as a tree of names, options and help; what the commands do is elsewhere and loaded when they run.

import { Command } from 'commander'
import { approvalCommands } from './commands/approval.ts'
import { auditCommands } from './commands/audit.ts'
import { completionCommands } from './commands/completion.ts'
import { cpCommand } from './commands/cp.ts'
import { doctorCommand } from './commands/doctor.ts'
import { eventsCommand } from './commands/events.ts'
import { execCommand } from './commands/exec.ts'
import { hostCommands } from './commands/host.ts'
import { hubCommands } from './commands/hub.ts'
import { invokeCommand } from './commands/invoke.ts'
import { mcpCommand } from './commands/mcp.ts'
import { nodeCommands } from './commands/node.ts'
import { pairingCommands } from './commands/pairing.ts'
import { policyCommands } from './commands/policy.ts'
import { runCommands } from './commands/run.ts'
import { tokenCommands } from './commands/token.ts'
import { upCommand } from './commands/up.ts'
import { workflowCommands } from './commands/workflow.ts'
import { declareRoot } from './declare.ts'
import type { Perform } from './perform.ts'

const environment = `
Environment:
  MUSTER_HOME   where hub, node and host keep their things (default ~/.muster)
  MUSTER_HUB    another hub's address, such as https://hub.example:7878 (default: the hub of this home)
  MUSTER_TOKEN  the token for it; on the hub's own machine none is needed
  NO_COLOR      no colours
`

/** `print` takes the text of `--help` and `--version`. */
export function buildProgram(perform: Perform, print: (text: string) => void): Command {
  const program = declareRoot(new Command('muster'), print)
    .description('One front door to every machine you own: run commands and workflows on a fleet of hosts.')
    .addHelpText('after', environment)
  program.commandsGroup('Start here:')
  upCommand(program, perform)
  program.commandsGroup('Work:')
  execCommand(program, perform)
  invokeCommand(program, perform)
  cpCommand(program, perform)
  workflowCommands(program, perform)
  runCommands(program, perform)
  approvalCommands(program, perform)
  eventsCommand(program, perform)
  mcpCommand(program, perform)
  program.commandsGroup('Machines:')
  hostCommands(program, perform)
  nodeCommands(program, perform)
  pairingCommands(program, perform)
  policyCommands(program, perform)
  program.commandsGroup('The hub:')
  hubCommands(program, perform)
  tokenCommands(program, perform)
  auditCommands(program, perform)
  program.commandsGroup('Help:')
  doctorCommand(program, perform)
  completionCommands(program, perform)
  return program
}
