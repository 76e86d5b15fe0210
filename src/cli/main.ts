// The command line's entry point, called by bin/muster.js: builds the program, runs one command, exits with its code.
// It stays light on purpose: no schema, server or store is loaded before a command that needs it runs (90 ms for `--help`).

import { readGlobals } from './globals.ts'
import { performWith } from './perform.ts'
import { buildProgram } from './program.ts'
import { reportFailure, reportOutcome } from './report.ts'
import { processTerminal } from './terminal.ts'

export async function main(argv = process.argv.slice(2)): Promise<void> {
  const terminal = processTerminal(argv)
  let exit = 0
  const perform = performWith(terminal, async (outcome, options) => {
    await reportOutcome(terminal, outcome, options)
    exit = outcome.exit ?? 0
  })
  const help: string[] = []
  try {
    await buildProgram(perform, (text) => help.push(text)).parseAsync(argv.length === 0 ? ['--help'] : argv, { from: 'user' })
  } catch (thrown) {
    exit = await reportFailure(terminal, thrown, readGlobals(argv))
  }
  if (help.length > 0) {
    await terminal.out(help.join('')).catch(async (unshown) => {
      exit = await reportFailure(terminal, unshown, {})
    })
  }
  await terminal.flushed()
  // An open stdin or a kept-alive connection must not keep a finished command; all output has been taken by now.
  process.exit(exit)
}
