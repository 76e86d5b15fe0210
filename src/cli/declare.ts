// Declares commands in one way: global options on each, our sentences for what cannot be parsed, help to where it is asked for.

import { type Command, type CommandOptions, Help } from 'commander'
import { exitCode } from '../contract/errors.ts'
import { softwareVersion } from '../wire/protocol.ts'
import { addGlobals, globalsLast } from './globals.ts'
import { Leaving } from './leaving.ts'
import { usageFailure } from './usage.ts'

const widestHelp = 110

export function declareRoot(root: Command, print: (text: string) => void): Command {
  root
    .enablePositionalOptions()
    .configureOutput({
      writeOut: print,
      writeErr: () => undefined,
      getOutHelpWidth: () => Math.min(widestHelp, process.stdout.columns ?? widestHelp),
    })
    .configureHelp({
      visibleOptions: (command) => globalsLast(Help.prototype.visibleOptions.call(new Help(), command)),
      subcommandTerm: (command) => [command.name(), ...command.registeredArguments.map((one) => `<${one.name()}>`)].join(' '),
    })
    .version(softwareVersion, '-V, --version', 'show the version')
    .helpOption('-h, --help', 'show this')
    .helpCommand('help [command]', 'show the help of a command')
  return tellUsage(root)
}

/** A command with further commands below it. */
export function declareGroup(parent: Command, name: string, description: string): Command {
  return tellUsage(parent.command(name).description(description)).helpOption('-h, --help', 'show this')
}

/** A command that does something. `usage` names it and its arguments: `show <run>`. */
export function declareCommand(parent: Command, usage: string, description: string, how: CommandOptions = {}): Command {
  return tellUsage(addGlobals(parent.command(usage, how).description(description)))
}

function tellUsage(command: Command): Command {
  return command.exitOverride((error) => {
    // Help and version were asked for and have been printed.
    if (error.exitCode === 0) throw new Leaving(error.message, exitCode.ok)
    throw usageFailure(error, command)
  })
}
