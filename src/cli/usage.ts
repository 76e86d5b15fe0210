// How a command line that cannot be understood is told: one sentence, and the command whose help shows the right way.

import { type Command, type CommanderError, InvalidArgumentError } from 'commander'
import { failure, type MusterError } from '../contract/errors.ts'
import { printable, shorten } from './printable.ts'

const longestSentence = 240

/** commander's complaint as `cli.usage`. `command` is the one that was being parsed. */
export function usageFailure(error: CommanderError, command: Command): MusterError {
  const path = pathOf(command)
  if (error.code === 'commander.help') {
    const names = command.commands.map((one) => one.name()).join(', ')
    return failure('cli.usage', {
      problem: `\`${path}\` needs one of: ${names}.`,
      hint: `\`${path} --help\` says what each does.`,
    })
  }
  const [complaint = '', suggestion] = error.message.split('\n(Did you mean ')
  const help = `\`${path} --help\` shows how to call it.`
  return failure('cli.usage', {
    problem: sentence(complaint.replace(/^error: /, '')),
    hint: suggestion === undefined ? help : `Did you mean ${suggestion.replace(/\?\)\s*$/, '')}? ${help}`,
  })
}

/** The words that call a command: `muster run list`. */
function pathOf(command: Command): string {
  return command.parent ? `${pathOf(command.parent)} ${command.name()}` : command.name()
}

/** For option parsers: what is wrong with the value, to follow commander's "argument X is invalid." */
export function wrongValue(problem: string): InvalidArgumentError {
  return new InvalidArgumentError(problem)
}

function sentence(text: string): string {
  const clean = shorten(printable(text.trim()), longestSentence)
  const capital = clean.charAt(0).toUpperCase() + clean.slice(1)
  return /[.!?…]$/.test(capital) ? capital : `${capital}.`
}
