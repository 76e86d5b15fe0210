// The end of a command: its outcome or its failure shown as text, as JSON and in the file of `--output`, and the exit code.
// Every command ends here; nothing else writes errors.

import { asMusterError, exitCode, type MusterError } from '../contract/errors.ts'
import { Leaving } from './leaving.ts'
import { CommandFailed, type GlobalOptions, type Outcome } from './perform.ts'
import { printable, printableJson, shorten } from './printable.ts'
import type { Terminal } from './terminal.ts'

/** Of a sentence with a name in it that fills the screen, this much is shown; JSON has all of it. */
const longestSentence = 800

/** Shows what a command answered. Throws `file.unwritable`. */
export async function reportOutcome(terminal: Terminal, outcome: Outcome, options: GlobalOptions): Promise<void> {
  if (options.output !== undefined) await saveResult(options.output, outcome.json)
  if (outcome.shown) return
  if (options.json) await terminal.out(asJson(outcome.json))
  else if (outcome.text) await terminal.out(`${outcome.text}\n`)
}

/** Shows why a command failed, where the options want it, and says the exit code. Never throws. */
export async function reportFailure(terminal: Terminal, thrown: unknown, options: GlobalOptions): Promise<number> {
  if (thrown instanceof Leaving) return thrown.exit
  const error = thrown instanceof CommandFailed ? thrown.error : asMusterError(thrown)
  tell(terminal, error)
  const json = { error: error.toValue() }
  try {
    // A file that could not take the result cannot take the failure either.
    if (options.output !== undefined && error.code !== 'file.unwritable') await saveResult(options.output, json)
  } catch (unsaved) {
    tell(terminal, asMusterError(unsaved))
  }
  try {
    if (options.json) await terminal.out(asJson(json))
  } catch (closed) {
    // The reader of stdout has gone; the failure was told on stderr and stays the command's result.
    if (!(closed instanceof Leaving) && error.code !== 'file.unwritable') tell(terminal, asMusterError(closed))
  }
  return thrown instanceof CommandFailed ? thrown.exit : error.exit
}

/** The failure for people: one sentence, then what to do. */
export function tell(terminal: Terminal, error: MusterError): void {
  terminal.say(shorten(printable(error.message), longestSentence))
  terminal.say(`hint: ${shorten(printable(error.hint), longestSentence)}`)
  if (error.exit === exitCode.internal && terminal.env.MUSTER_DEBUG) {
    terminal.say(error.cause instanceof Error ? String(error.cause.stack) : String(error.stack))
  }
}

/** What `--json` and `--output` hold: people read it too, so it is indented. */
export function asJson(value: unknown): string {
  return `${printableJson(value, 2)}\n`
}

async function saveResult(file: string, value: unknown): Promise<void> {
  const { writeFileWhole } = await import('./whole-file.ts')
  await writeFileWhole(file, asJson(value))
}
