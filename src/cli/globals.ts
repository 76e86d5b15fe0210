// The options that every command has. Declared on each, and read by hand where the command line itself could not be parsed.

import type { Command, Option } from 'commander'
import { fileName, single } from './options.ts'
import type { GlobalOptions } from './perform.ts'

export function addGlobals(command: Command): Command {
  return command
    .option('--json', 'print the result as JSON on standard output')
    .addOption(single('--output <file>', 'write the JSON result to FILE too, whatever the exit code', fileName))
    .helpOption('-h, --help', 'show this')
}

/** For the help: a command's own options first. */
export function globalsLast(options: readonly Option[]): Option[] {
  const isGlobal = ({ long }: Option) => long === '--json' || long === '--output' || long === '--help'
  return [...options.filter((one) => !isGlobal(one)), ...options.filter(isGlobal)]
}

/** What was asked for, from a command line that may be wrong elsewhere. */
export function readGlobals(argv: readonly string[]): GlobalOptions {
  const end = argv.indexOf('--')
  const ours = end === -1 ? argv : argv.slice(0, end)
  const files = ours.flatMap((one, at) => {
    if (one.startsWith('--output=')) return [one.slice('--output='.length)]
    return one === '--output' ? [ours[at + 1]] : []
  })
  // Of two files neither is the one that was meant.
  const file = files.length === 1 ? files[0] : undefined
  return { ...(ours.includes('--json') && { json: true }), ...(file && !file.startsWith('-') && { output: file }) }
}
